"""Nodes leave a cluster only when nothing runs on them, or when their operator names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from railbed import operate
from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.parse.slurm import Job, NodeState

KEPT = {"ctl0", "h100-0", "h100-1"}


@dataclass
class Slurm:
    """What the scheduler says of the last two nodes."""

    drained: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    silent: tuple[str, ...] = field(default=())

    def nodes(self) -> dict[str, NodeState]:
        flags = {name: frozenset({"DRAIN"}) if name in self.drained else frozenset() for name in _names()}
        return {
            name: NodeState(
                name=name, base="DOWN" if name in self.silent else "IDLE",
                flags=flags[name] | ({"NOT_RESPONDING"} if name in self.silent else set()),
                gres="gpu:8", partitions=("batch",), reason="", reason_by="",
            )
            for name in _names()
        }  # fmt: skip

    def jobs(self) -> list[Job]:
        return [Job("7", "ada", "train", "RUNNING", (name,)) for name in self.busy]

    def reservations(self) -> list[Any]:
        return []


def _names() -> list[str]:
    return [f"h100-{i}" for i in range(4)]


def going(of: Contract) -> list[Any]:
    return operate.leaving(of, KEPT, {})


def test_only_what_is_not_planned_leaves(contract: Contract) -> None:
    assert [node.name for node in going(contract)] == ["h100-2", "h100-3"]
    assert operate.leaving(contract, {"ctl0", *_names()}, {}) == []


def test_a_renamed_pool_loses_nobody(contract: Contract) -> None:
    renamed = {"ctl0", *(f"big-{i}" for i in range(4))}
    assert operate.leaving(contract, renamed, {"h100": "big"}) == []
    assert [n.name for n in operate.leaving(contract, renamed - {"big-3"}, {"h100": "big"})] == ["h100-3"]
    assert len(operate.leaving(contract, renamed, {})) == 4


def test_drained_and_idle_nodes_may_go(contract: Contract, tmp_path: Path) -> None:
    work, drained = Workspace(tmp_path, "test"), ("h100-2", "h100-3")
    idle: Any = Slurm(drained=drained)
    busy: Any = Slurm(drained=drained, busy=("h100-0",))
    for slurm in (idle, busy):  # whoever works on a node that stays holds nobody up
        operate.require_idle(contract, work, going(contract), slurm, [])
    with pytest.raises(UsageError):
        operate.require_idle(contract, work, contract.with_role("compute"), idle, [])


def test_one_controller_of_a_pair_may_leave_but_not_the_last(contract: Contract, tmp_path: Path) -> None:
    work, slurm = Workspace(tmp_path, "test"), Slurm()
    first = contract.with_role("controller")[0]
    second = first.model_copy(update={"name": "ctl1"})
    pair = contract.model_copy(update={"nodes": [first, second, *contract.nodes[1:]]})
    operate.require_idle(pair, work, [second], slurm, [])  # type: ignore[arg-type]
    for leaving in ([first, second], [second, contract.with_role("compute")[0]]):
        with pytest.raises(UsageError):
            operate.require_idle(pair, work, leaving, slurm, [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("slurm", "named"),
    [
        (Slurm(), "h100-2, h100-3"),
        (Slurm(drained=("h100-2",)), "h100-3"),
        (Slurm(drained=("h100-2", "h100-3"), busy=("h100-3",)), "h100-3"),
        (Slurm(drained=("h100-2", "h100-3"), silent=("h100-2",)), "h100-2"),
    ],
)
def test_others_may_not(contract: Contract, tmp_path: Path, slurm: Any, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        operate.require_idle(
            contract, Workspace(tmp_path, "test"), going(contract), slurm, ["h100-2", "h100-3"]
        )
    assert (refused.value.code, refused.value.found) == ("NOT_DRAINED", named)


def test_without_a_scheduler_they_are_named_one_by_one(contract: Contract, tmp_path: Path) -> None:
    work = Workspace(tmp_path, "test")
    with pytest.raises(UsageError) as refused:
        operate.require_idle(contract, work, going(contract), None, ["h100-2"])
    assert refused.value.hint == "--remove h100-3"
    operate.require_idle(contract, work, going(contract), None, ["h100-2", "h100-3"])
