"""The ladder's power cycle against the Redfish emulator: the right machine, off and on, and what a killed one is brought to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.validate.conftest import contract as small

from railbed.contract import BmcTrust, Contract, Identity, Node
from railbed.effects.bmc import of_node, power
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.operate import rungs
from railbed.run import Result

from .emulator import BRISK, PASSWORD, USER, Emulator, machine, serial_of, uuid

ONE, OTHER, OFF = range(3)
MACHINES = [machine(ONE), machine(OTHER), machine(OFF)]
contract = small


@pytest.fixture
def remote(tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """Nodes that answer as after a boot; the site's file of BMC logins."""
    work = Workspace(tmp_path, "test")
    work.dir.mkdir(parents=True)
    logins = work.local / "bmc.yaml"
    logins.write_text(yaml.safe_dump({"user": USER, "password": PASSWORD}))
    logins.chmod(0o600)
    monkeypatch.setattr(Remote, "run", lambda *_, **__: Result((), 0, "running", ""))
    connect = of_node.connect
    monkeypatch.setattr(of_node, "connect", lambda work, node: connect(work, node, BRISK))
    return Remote(work, contract)


def node(contract: Contract, redfish: Emulator, index: int, serial: str = "") -> Node:
    identity = Identity(kind="serial", value=serial or serial_of(index))
    trust = BmcTrust(fingerprint=redfish.fingerprint)
    return contract.node("h100-1").model_copy(
        update={"bmc": redfish.system_url(index), "identity": identity, "bmc_trust": trust}
    )


def kinds(redfish: Emulator, index: int) -> list[str]:
    return [one.split('"ResetType": "')[1].split('"')[0] for one in redfish.writes() if uuid(index) in one]


def test_power_goes_off_and_on_of_this_machine_alone(
    redfish: Emulator, contract: Contract, remote: Remote
) -> None:
    power.turn_on(redfish.bmc(ONE))
    other = redfish.system(OTHER)
    assert rungs.take(remote, node(contract, redfish, ONE), "power-cycle", "before") == ""
    assert kinds(redfish, ONE) == ["On", "GracefulShutdown", "On"]
    assert redfish.system(ONE)["PowerState"] == "On" and redfish.system(OTHER) == other


def test_another_serial_is_a_reason_and_nothing_is_done(
    redfish: Emulator, contract: Contract, remote: Remote
) -> None:
    before = redfish.writes()
    wrong = rungs.take(remote, node(contract, redfish, OTHER, "SN-OF-THE-OLD-BOARD"), "power-cycle", "before")
    assert "no system with this serial number" in wrong and redfish.writes() == before


def test_a_cycle_that_was_killed_between_off_and_on_ends_with_the_power_on(
    redfish: Emulator, contract: Contract, remote: Remote
) -> None:
    assert redfish.system(OFF)["PowerState"] == "Off"
    rungs.finish(remote, node(contract, redfish, OFF), "power-cycle")
    assert redfish.system(OFF)["PowerState"] == "On"
    before = redfish.writes()
    for rung in ("reset", "services", "roles", "reboot"):
        rungs.finish(remote, node(contract, redfish, OFF), rung)
    assert redfish.writes() == before, "nothing of theirs is at the BMC"
