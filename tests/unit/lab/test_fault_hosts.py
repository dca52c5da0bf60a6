"""A fault is refused where a cluster lacks what it breaks, before it is written down: else `clear` could never take it back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError
from railbed.platforms.lab import faults
from railbed.platforms.lab.fault import FaultContext, Injected

SHARED = SimpleNamespace(metadata_server="ctl0", data_servers=["h100-0"], name="scratch", mount="/scratch")


def cluster(*filesystems: Any) -> Contract:
    roles = {"ctl0": "controller", "h100-0": "compute", "h100-1": "spare"}
    nodes = {
        name: SimpleNamespace(name=name, role=role, rails=[None] * 8, gpus=8) for name, role in roles.items()
    }
    return cast(
        Contract,
        SimpleNamespace(
            node=lambda name: nodes[name], filesystems=list(filesystems),
            with_role=lambda *wanted: [node for node in nodes.values() if node.role in wanted],
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "node", "filesystems", "told"),
    [
        ("fs-server-down", "h100-1", [SHARED], "fs-server-down is no fault of h100-1"),
        ("fs-master-down", "h100-0", [SHARED], "fs-master-down is no fault of h100-0"),
        ("rail-down", "ctl0", [SHARED], "rail-down is no fault of ctl0"),
        ("fs-suid", "h100-0", [], "fs-suid is no fault of h100-0"),
        ("fs-master-down", "ctl0", [], "fs-master-down is no fault of ctl0"),
    ],
)
def test_it_is_refused_and_nothing_is_written_down(
    tmp_path: Path, name: str, node: str, filesystems: list[Any], told: str
) -> None:
    work = Workspace(tmp_path, "lab")
    with pytest.raises(UsageError, match=told):
        faults.inject(work, cluster(*filesystems), Injected(name, node, 0, 50.0, "node"))
    assert faults.active(work) == []


def test_every_fault_has_hosts_in_a_whole_cluster() -> None:
    where = {fault.name: faults.hosts(cluster(SHARED), fault) for fault in faults.FAULTS.values()}
    assert all(where.values())
    assert where["fs-master-down"] == ["ctl0"]
    assert where["fs-server-down"] == ["h100-0"]
    assert where["fs-suid"] == ["h100-0", "h100-1"]


class Jobs:
    """A scheduler that lists one job after the other, the last for ever."""

    def __init__(self, *listed: list[Any]) -> None:
        self.listed = list(listed)

    def jobs(self) -> list[Any]:
        return self.listed.pop(0) if len(self.listed) > 1 else self.listed[0]


def job(comment: str, *nodes: str) -> Any:
    return SimpleNamespace(id="7", comment=comment, nodes=list(nodes))


@pytest.mark.parametrize(
    ("listed", "ends"),
    [
        ([[]], True),
        ([[job("railbed validate", "h100-0")], []], True),
        ([[job("somebody's own", "h100-0")]], True),
        ([[job("railbed validate", "h100-1")]], True),
        ([[job("railbed validate", "h100-0", "h100-1")]], False),
    ],
)
def test_a_step_that_met_the_fault_is_waited_for_and_a_users_job_is_not(
    monkeypatch: pytest.MonkeyPatch, listed: list[list[Any]], ends: bool
) -> None:
    scheduler = Jobs(*listed)
    monkeypatch.setattr(faults, "Scheduler", lambda _: scheduler)
    monkeypatch.setattr(faults, "POLL_S", 0.0)
    monkeypatch.setattr(faults, "FAULT_CLEAR_TIMEOUT_S", 60.0 if ends else 0.0)
    context = cast(FaultContext, SimpleNamespace(remote=None))
    if ends:
        faults.wait_free(context, {"h100-0"})
    else:
        with pytest.raises(RailbedError, match="job 7, a step of a validation, still holds h100-0, h100-1"):
            faults.wait_free(context, {"h100-0"})
