"""Role monitoring: its program that writes the scheduler's states, over what Slurm prints."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from tests.roles.conftest import Recorded

from railbed.defaults import HEALTH_REPORT_PREFIX
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose

ROOT = Path(__file__).resolve().parents[2]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("cluster", ROOT / "roles/monitoring/files/cluster.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLUSTER = _load()
PING = "Slurmctld(primary) at ctl0 is UP\n"
LINE = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=4 CPUAlloc=0 CPUTot=8 Gres=gpu:8 OS=Linux 6.1.0-41-amd64 #1 SMP State={state} "
    "ThreadsPerCore=1 Partitions=all BootTime=2026-11-30T23:55:00{rest}\n"
)
"""As Slurm 22.05 prints a node with --oneliner; fields are left out."""
REPORT = compose(
    [Symptom("filesystem-silent", "/scratch", "no answer"), Symptom("time-wrong", "clock", "off by 3 s")],
    HEALTH_REPORT_PREFIX,
)


def nodes(**states: str) -> str:
    rest = f" Comment={REPORT} Reason=x [root@2026-12-01T00:00:00]"
    return "".join(
        LINE.format(name=name, state=state, rest=rest if name == "b" else "")
        for name, state in states.items()
    )


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a program of that name in front, which prints files."""

    def made(ping: str, shown: str, code: int = 0) -> None:
        (tmp_path / "ping").write_text(ping)
        (tmp_path / "show").write_text(shown)
        program = tmp_path / "scontrol"
        program.write_text(f'#!/bin/sh\ncat "{tmp_path}/$1"\nexit {code}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return made


def said() -> list[str]:
    text: str = CLUSTER.text(CLUSTER.collect())
    return [line.removeprefix("railbed_slurm_") for line in text.splitlines() if not line.startswith("#")]


def test_states_and_reports_of_nodes(scontrol: Any) -> None:
    scontrol(PING, nodes(a="IDLE", b="IDLE+DRAIN", c="DOWN*", d="MIXED", e="IDLE*", f="IDLE+INVALID_REG",
                         g="IDLE+MAINTENANCE+RESERVED", h="IDLE+RESERVED", i="IDLE+DRAIN+MAINTENANCE+RESERVED"))  # fmt: skip
    found = said()
    assert 'controller_up{controller="ctl0"} 1' in found and 'unread{part="nodes"} 0' in found
    for name, down, drained, invalid, held in (
        ("a", 0, 0, 0, 0), ("b", 0, 1, 0, 0), ("c", 1, 0, 0, 0), ("d", 0, 0, 0, 0), ("e", 1, 0, 0, 0), ("f", 0, 0, 1, 0),
        ("g", 0, 0, 0, 1), ("h", 0, 0, 0, 0), ("i", 0, 1, 0, 1),
    ):  # fmt: skip
        assert f'node_down{{node="{name}"}} {down}' in found, name
        assert f'node_drained{{node="{name}"}} {drained}' in found, name
        assert f'node_invalid{{node="{name}"}} {invalid}' in found, name
        assert f'node_held{{node="{name}"}} {held}' in found, name
    reports = [line for line in found if line.startswith("node_report")]
    assert sorted(reports) == [
        'node_report{node="b",code="filesystem-silent"} 1', 'node_report{node="b",code="time-wrong"} 1',
    ]  # fmt: skip


def test_a_controller_that_is_down_is_said_so(scontrol: Any) -> None:
    scontrol("Slurmctld(primary) at ctl0 is DOWN\n", "", code=1)
    found = said()
    assert 'controller_up{controller="ctl0"} 0' in found and 'unread{part="nodes"} 1' in found
    assert not [line for line in found if line.startswith("node_")], "a zero would be a measurement"


@pytest.mark.parametrize(("ping", "shown"), [("", ""), ("garbage\n", "slurm_load_node error\n")])
def test_what_does_not_answer_is_unread_and_down(scontrol: Any, ping: str, shown: str) -> None:
    scontrol(ping, shown)
    found = said()
    assert sorted(found) == sorted(
        ['unread{part="controllers"} 1', 'unread{part="nodes"} 1', 'controller_up{controller="any"} 0']
    )


def test_a_machine_without_the_program_is_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert 'unread{part="nodes"} 1' in said()


def test_a_persons_comment_is_no_report(scontrol: Any) -> None:
    line = LINE.format(name="a", state="IDLE", rest=" Comment=ask ada(7) first")
    scontrol(PING, line)
    assert not [one for one in said() if one.startswith("node_report")]


def test_it_runs_without_rights_and_only_on_controllers(lab: Recorded) -> None:
    unit = lab.text("ctl0", "/etc/systemd/system/railbed-cluster-metrics.service")
    assert (
        "User=prometheus\n" in unit and "CapabilityBoundingSet=\n" in unit and "NoNewPrivileges=yes\n" in unit
    )
    asked = lab.asked["ctl0"]["monitoring: Keep the metrics of all nodes"]
    (link,) = asked["links"].items()
    assert link == (
        "/var/lib/prometheus/node-exporter/railbed_cluster.prom", "/run/railbed-cluster-metrics/railbed_cluster.prom",
    )  # fmt: skip
    assert "OnUnitActiveSec=60\n" in lab.text("ctl0", "/etc/systemd/system/railbed-cluster-metrics.timer")
    assert not [path for path in lab.files["h100-0"] if "cluster-metrics" in path]
