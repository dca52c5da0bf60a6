"""Module units against a stand-in systemctl that keeps its units in a JSON file and prints what systemd 252 prints."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

UNITS = modules.load("units")
SYSTEMCTL = """
import json, os, sys, time
path = os.environ["FAKE_UNITS"]
units = json.load(open(path))
verb, *names = [a for a in sys.argv[1:] if not a.startswith("-")]
def save(): json.dump(units, open(path, "w"))
def start(u): u.update(ActiveState=u.get("after_start", "active"), InvocationID=u["InvocationID"] + "x", started=time.time())
if verb == "show":
    blocks = []
    for name in names:
        u = units.get(name, {"LoadState": "not-found", "ActiveState": "inactive", "InvocationID": ""})
        keys = ("LoadState", "ActiveState", "UnitFileState", "InvocationID", "NeedDaemonReload")
        lines = [f"{key}={u.get(key, '')}\\n" for key in keys]
        blocks.append("".join(lines) + f"ActiveEnterTimestamp=@{int(u.get('started', 0))}\\n")
    print("\\n".join(blocks), end="")
    sys.exit()
log = open(path + ".log", "a"); print(" ".join(sys.argv[1:]), file=log)
for name in names:
    u = units[name]
    if verb == "enable": u["UnitFileState"] = "enabled"
    if verb == "disable": u["UnitFileState"] = "disabled"
    if verb == "unmask": u.update(LoadState="loaded", UnitFileState="disabled")
    if verb == "stop": u["ActiveState"] = "inactive"
    if verb == "reset-failed": u["ActiveState"] = "inactive"
    if verb in ("start", "restart"):
        if u.get("breaks"): print("Job for unit failed.", file=sys.stderr); sys.exit(1)
        start(u)
        if verb == "restart" and u.get("takes"): units[u["takes"]]["ActiveState"] = "activating"
if verb == "daemon-reload":
    for u in units.values(): u["NeedDaemonReload"] = "no"
save()
"""


class Host:
    """The stand-in's units."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "units.json"
        self.units: dict[str, dict[str, Any]] = {}

    def add(self, name: str, **fields: Any) -> None:
        base = {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled",
                "InvocationID": "0", "NeedDaemonReload": "no", "started": 0}  # fmt: skip
        self.units[name] = {**base, **fields}
        self.file.write_text(json.dumps(self.units))

    def state(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text())[name])

    def done(self) -> list[str]:
        log = Path(f"{self.file}.log")
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    programs = tmp_path / "bin"
    programs.mkdir()
    modules.program(programs, "systemctl", SYSTEMCTL)
    modules.program(programs, "journalctl", "print('the last words of the unit')\n")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_UNITS", str(tmp_path / "units.json"))
    monkeypatch.setattr(modules.UNITS, "STAMPS", str(tmp_path / "stamps"))
    return Host(tmp_path)


def call(check: bool = False, settle_s: float = 0, **unit: Any) -> dict[str, Any]:
    return modules.call(UNITS, check=check, units=[{"name": "chrony.service", **unit}], settle_s=settle_s)


def test_a_unit_is_enabled_and_started_once(host: Host) -> None:
    host.add("chrony.service")
    assert call()["changed"]
    assert host.done() == ["enable chrony.service", "start chrony.service"]
    second = call()
    assert not second["changed"] and second["states"] == {"chrony.service": "active"} and host.done() == []


def test_check_mode_does_nothing(host: Host, tmp_path: Path) -> None:
    host.add("chrony.service")
    answer = call(check=True)
    assert answer["changed"] and answer["actions"] == [
        ["enable", "chrony.service"],
        ["start", "chrony.service"],
    ]
    assert host.done() == [] and not (tmp_path / "stamps").exists()


def test_a_masked_unit_is_unmasked_also_at_run_time(host: Host) -> None:
    host.add("chrony.service", LoadState="masked", UnitFileState="masked-runtime")
    call()
    assert host.done()[:2] == ["unmask chrony.service", "unmask --runtime chrony.service"]
    assert host.state("chrony.service")["ActiveState"] == "active"


def test_a_failed_unit_is_reset_and_started(host: Host) -> None:
    host.add("chrony.service", ActiveState="failed", UnitFileState="enabled")
    assert call()["changed"]
    assert host.done() == ["reset-failed chrony.service", "start chrony.service"]


def test_a_changed_file_restarts_the_unit_and_only_once(host: Host, tmp_path: Path) -> None:
    config = tmp_path / "chrony.conf"
    config.write_text("one")
    host.add("chrony.service", UnitFileState="enabled")
    call(files=[str(config)])
    host.done()
    config.write_text("two")
    assert call(files=[str(config)])["actions"] == [["restart", "chrony.service"]]
    assert not call(files=[str(config)])["changed"]


def test_a_run_that_was_cut_off_after_writing_is_made_good(host: Host, tmp_path: Path) -> None:
    """The file was written by a run that died; this run changed nothing, and restarts all the same."""
    config = tmp_path / "chrony.conf"
    config.write_text("new")
    host.add("chrony.service", ActiveState="active", UnitFileState="enabled", started=time.time() - 60)
    assert call(files=[str(config)])["actions"] == [["restart", "chrony.service"]]


def test_a_unit_that_the_boot_started_with_the_same_files_is_left_alone(host: Host, tmp_path: Path) -> None:
    config = tmp_path / "chrony.conf"
    config.write_text("old")
    os.utime(config, (time.time() - 3600,) * 2)
    host.add("chrony.service", ActiveState="active", UnitFileState="enabled", started=time.time() - 60)
    assert not call(files=[str(config)])["changed"]


def test_reload_is_enough_where_it_is_asked_for(host: Host, tmp_path: Path) -> None:
    config = tmp_path / "sshd.conf"
    config.write_text("one")
    host.add("chrony.service", UnitFileState="enabled")
    call(files=[str(config)], on_change="reload")
    host.done()
    config.write_text("two")
    call(files=[str(config)], on_change="reload")
    assert host.done() == ["reload chrony.service"]
    assert not call(files=[str(config)], on_change="reload")["changed"]


def test_two_roles_that_name_one_unit_do_not_undo_each_other(host: Host, tmp_path: Path) -> None:
    """As roles ssh and hardening do: each has files of its own for it."""
    first, second = tmp_path / "10.conf", tmp_path / "20.conf"
    host.add("chrony.service", UnitFileState="enabled")
    for file in (first, second):
        file.write_text("one")
        call(files=[str(file)], on_change="reload")
    host.done()
    for file in (first, second, first, second):
        assert not call(files=[str(file)], on_change="reload")["changed"]
    second.write_text("two")
    assert not call(files=[str(first)], on_change="reload")["changed"]
    assert call(files=[str(second)], on_change="reload")["actions"] == [["reload", "chrony.service"]]
    assert not call(files=[str(second)], on_change="reload")["changed"]


def test_changed_unit_files_are_read_anew(host: Host) -> None:
    host.add("chrony.service", ActiveState="active", UnitFileState="enabled", NeedDaemonReload="yes")
    assert call()["actions"] == [["daemon-reload"]]


def test_a_unit_that_dies_right_after_its_start_is_a_failure_with_its_last_words(host: Host) -> None:
    host.add("chrony.service", UnitFileState="enabled", after_start="failed")
    answer = call()
    assert answer["failed"] and "is failed" in answer["msg"] and "last words" in answer["msg"]


def test_a_oneshot_that_starts_again_with_what_it_requires_is_waited_for(host: Host, tmp_path: Path) -> None:
    """A restart of slurmdbd starts the registration of the cluster again, and does not wait for it."""
    file = tmp_path / "slurmdbd.conf"
    file.write_text("a")
    host.add("register.service", UnitFileState="enabled", ActiveState="active")
    host.add("slurmdbd.service", UnitFileState="enabled", takes="register.service")
    wanted = [{"name": "slurmdbd.service", "files": [str(file)]}, {"name": "register.service"}]
    assert modules.call(UNITS, check=False, units=wanted, settle_s=0)["changed"]
    file.write_text("b")
    host.done()
    again = modules.call(UNITS, check=False, units=wanted, settle_s=0)
    assert again["states"] == {"slurmdbd.service": "active", "register.service": "active"}, again
    assert host.done() == ["restart slurmdbd.service", "start register.service"]
    assert again["actions"] == [["restart", "slurmdbd.service"]]


def test_a_unit_that_cannot_start_is_a_failure(host: Host) -> None:
    host.add("chrony.service", UnitFileState="enabled", breaks=True)
    answer = call()
    assert answer["failed"] and "Job for unit failed" in answer["msg"]


def test_an_unknown_unit_fails_and_is_only_foreseen_in_check_mode(host: Host) -> None:
    host.add("other.service")
    assert "no such unit" in call()["msg"]
    assert call(check=True)["changed"]


def test_stopped_and_disabled(host: Host) -> None:
    host.add("chrony.service", ActiveState="active", UnitFileState="enabled")
    call(state="stopped", enabled=False)
    assert host.done() == ["disable chrony.service", "stop chrony.service"]
    assert not call(state="stopped", enabled=False)["changed"]


def test_what_must_be_off_and_is_masked_or_not_there_is_left_alone(host: Host) -> None:
    host.add("apt-daily.timer", LoadState="masked", UnitFileState="masked")
    off = [
        {"name": name, "state": "stopped", "enabled": False} for name in ("apt-daily.timer", "cups.service")
    ]
    assert not modules.call(UNITS, units=off)["changed"] and host.done() == []


def test_tree_restarts_in_the_same_call(host: Host, tmp_path: Path) -> None:
    tree = modules.load("tree")
    config = tmp_path / "c"
    host.add("chrony.service", ActiveState="active", UnitFileState="enabled", started=time.time())
    files = {str(config): {"content": "x", "owner": tmp_path.owner()}}
    units = [{"name": "chrony.service", "files": [str(config)]}]
    told = modules.call(tree, check=True, files=files, units=units)
    assert told["changed"] and host.done() == []
    modules.call(tree, files=files, units=units, settle_s=0)
    assert host.done() == ["restart chrony.service"]
    assert not modules.call(tree, files=files, units=units, settle_s=0)["changed"]
