"""The look at every BMC before anything is made: what each machine has less of than its pool's kind. All BMCs emulated."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from railbed import flow, spec
from railbed import plan as plans

from .emulator import PASSWORD, USER, Emulator, machine, serial_of

WELL, LOST, LOST_RUNNING, UNLISTED, HALF = range(5)
MACHINES = [
    machine(WELL), machine(LOST, gpus=7), machine(LOST_RUNNING, gpus=7, power_state="On"), machine(UNLISTED, gpus=0),
    machine(HALF, memory_gib=1984),
]  # fmt: skip
EXAMPLE = Path(__file__).resolve().parents[3] / "examples/metal-hosts.yaml"


@pytest.fixture
def plan(redfish: Emulator) -> plans.ClusterPlan:
    document = yaml.safe_load(EXAMPLE.read_text())["config"]["railbed:cluster"]
    document["platform"] |= {
        "ca_file": str(redfish.certificate),
        "machines": [
            {"name": f"blue-{at}", "bmc": redfish.system_url(at), "serial": serial_of(at), "address": f"10.80.0.{at + 1}",
             "mac": f"02:00:5e:10:00:{at:02x}"} for at in range(len(MACHINES))
        ],
    }  # fmt: skip
    document["pools"] = [{"name": "blue", "machine": "metal/hgx-h100-ib", "nodes": len(MACHINES)}]
    document["acknowledge"] = [f"the system disks of {len(MACHINES)} machines are overwritten"]
    return plans.plan(spec.from_config(document, "test"))


def test_a_machine_with_less_than_its_kind_is_named_before_it_is_installed(
    plan: plans.ClusterPlan, redfish: Emulator, tmp_path: Path
) -> None:
    (tmp_path / ".railbed").mkdir()
    logins = tmp_path / ".railbed/bmc.yaml"
    logins.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
    logins.chmod(0o600)
    found = flow.preflight(plan, lambda: tmp_path)
    assert [(one.ok, one.needed) for one in found] == [
        (True, True), (False, True), (False, False), (True, True), (False, False),
    ]  # fmt: skip
    assert found[LOST].found == found[LOST_RUNNING].found == "7 GPUs, metal/hgx-h100-ib has 8"
    assert found[HALF].found == "1984 GiB of memory, metal/hgx-h100-ib has 2048"
    assert redfish.writes() == []
