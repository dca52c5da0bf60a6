"""Role nvidia_imex: who gets it, which nodes it takes for one NVLink domain, and what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask
from tests.support.contracts import planned_software, sealed

from railbed.contract import Contract, Software

ROOT = Path(__file__).resolve().parents[2]
NODES = "/etc/nvidia-imex/nodes_config.cfg"
RACK = "1b2c3d4e-0000-4000-8000-00000000000a"
OTHER = "1b2c3d4e-0000-4000-8000-00000000000b"


def rack(domain_nodes: int = 18) -> Contract:
    """The small cluster with machines whose NVLink domain has so many nodes."""
    contract = cluster()
    machine = contract.machines[0].model_copy(update={"nodes_per_nvlink_domain": domain_nodes})
    software = Software(
        **planned_software("2026.11", machine, "debian 12"), repositories=contract.software.repositories
    )
    changed = {"software": software, "machines": [machine], "simulated": False, "hosts": "machine"}
    return sealed(contract.model_copy(update=changed))


def test_only_machines_that_share_a_domain_get_it() -> None:
    for nodes, group, other in ((18, "imex_nodes", "nvswitch_nodes"), (1, "nvswitch_nodes", "imex_nodes")):
        groups = {one.name: one.groups for one in rack(nodes).classes}
        assert all((group in some) is name.startswith(("compute", "spare")) for name, some in groups.items())
        assert not [name for name, some in groups.items() if other in some]


@pytest.fixture(scope="module")
def two_racks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    said = {"h100-0": f"{RACK}, 7", "h100-1": f"{OTHER}, 7", "h100-2": f"{RACK}, 7"}
    facts = {name: {"nvidia_imex_domain": domain} for name, domain in said.items()}
    folder = tmp_path_factory.mktemp("imex") / "checkout"
    yield record(folder, rack(), container=False, tags="nvidia_imex,packages", facts_of=facts)


def test_each_node_lists_those_of_its_own_domain(two_racks: Recorded) -> None:
    assert not [one.message for one in two_racks.collector.nodes.values() if one.failed_task]
    assert two_racks.text("h100-0", NODES) == two_racks.text("h100-2", NODES) == "10.90.0.11\n10.90.0.13\n"
    assert two_racks.text("h100-1", NODES) == "10.90.0.12\n"
    assert NODES not in two_racks.files["ctl0"]


def test_a_changed_list_restarts_the_service(two_racks: Recorded) -> None:
    (unit,) = two_racks.asked["h100-0"]["nvidia_imex: Share memory with the nodes of the domain"]["units"]
    assert unit["name"] == "nvidia-imex.service" and NODES in unit["files"]


def test_it_is_pinned_to_the_drivers_version(two_racks: Recorded) -> None:
    asked = two_racks.asked["h100-0"]["packages: Install the packages of all roles"]
    assert "nvidia-imex-570=570.124.06-*" in asked["packages"] and "nvidia-imex-570" in asked["hold"]


TOLD = {
    "version": "570.1",
    "driver_version": "570.1",
    "address": "10.0.0.1",
    "addresses": {},
    "domain_nodes": 18,
}


def case(name: str, tasks: str, says: str = "", **more: object) -> Case:
    told = {f"nvidia_imex_{key}": value for key, value in {**TOLD, **more}.items()}
    return Case(name, "nvidia_imex", told, says, tasks)


CASES = [
    case("of the driver's version", "install"),
    case("of another version", "install", "570.1 is not for driver 565.1", driver_version="565.1"),
]


def test_what_it_refuses_before_anything_is_installed(tmp_path: Path) -> None:
    answers = ask(CASES, tmp_path)
    for one in CASES:
        assert (one.says in answers[one.name]) if one.says else answers[one.name] == ""


@pytest.mark.parametrize(
    ("said", "joined"),
    [
        (f"{RACK}, 7", True),
        (f"{RACK}, 7 and {RACK}, 8", False),
        ("00000000-0000-0000-0000-000000000000, 0", False),
        ("[N/A], [N/A]", False),
        ("", False),
    ],
)
def test_gpus_that_joined_no_fabric_name_no_domain(said: str, joined: bool) -> None:
    """Typed after what nvidia-smi prints for these fields: zeros, or that they do not apply, before a fabric is there."""
    values = yaml.safe_load((ROOT / "roles/nvidia_imex/vars/main.yml").read_text())
    assert bool(re.match(values["nvidia_imex_domain_pattern"], said)) is joined


@pytest.mark.parametrize(("cliques", "says"), [((7, 7), ""), ((7, 8), "or several")])
def test_the_gpus_are_asked(
    cliques: tuple[int, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{RACK}, {clique}'\n" for clique in cliques))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    answer = ask([case("asked", "domain", says)], tmp_path)["asked"]
    assert says in answer if says else answer == ""


def test_a_run_that_leaves_out_a_node_whose_domain_nobody_knows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each play of a case has one host, so that any other of them is one that the run leaves out."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{RACK}, 7'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    own, other = ({"case0": "10.0.0.1"}, {"case0": "10.0.0.1", "case1": "10.0.0.2"})
    cases = [
        case("with another", "domain", "nobody asked case1", addresses=other),
        case("alone", "domain", addresses=own),
        case(
            "too many",
            "domain",
            "a domain of these machines",
            addresses={"case2": "10.0.0.1"},
            domain_nodes=0,
        ),
    ]
    answers = ask(cases, tmp_path)
    assert f"1 nodes say that they are of NVLink domain {RACK}, 7" in answers["too many"]
    assert "nobody asked case1" in answers["with another"] and answers["alone"] == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device in namespaces of its own: needs root")
@pytest.mark.parametrize("devices", ["195 nvidia\n234 nvidia-caps-imex-channels\n", "195 nvidia\n"])
def test_channel_0_gets_the_number_that_the_driver_says(devices: str, tmp_path: Path) -> None:
    known = tmp_path / "devices"
    known.write_text(f"Character devices:\n{devices}")
    program = ROOT / "roles/nvidia_imex/files/channel"
    script = (
        f"mount --bind {known} /proc/devices; mount -t tmpfs tmpfs /dev; {program} || exit 9; {program} && "
        "stat -c '%a %t' /dev/nvidia-caps-imex-channels/channel0"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], text=True, capture_output=True, check=False, timeout=30
    )
    if "imex" in devices:
        assert done.stdout.split() == ["666", f"{234:x}"], done.stderr
    else:
        assert done.returncode == 9 and "no IMEX channels" in done.stderr
