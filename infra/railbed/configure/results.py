"""What a run of the roles came to, node by node."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from railbed.errors import CommandError, RailbedError, UnprovenError


class NodeState(StrEnum):
    """How a node came out of a run; the worst that happened to it counts."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass
class NodeResult:
    """One node after (or during) a run."""

    state: NodeState = NodeState.OK
    changed: int = 0
    """How many tasks changed something, or would in check mode."""
    changes: list[str] = field(default_factory=list)
    """Those tasks, ``role: task``. Of tasks that hide their results, and of which only the number is known, all that ran."""
    tasks: int = 0
    modules: int = 0
    """Modules that ran on the node itself."""
    failed_task: str = ""
    message: str = ""
    lacking: list[str] = field(default_factory=list)
    """Optional programs that could not be built, each with the reason; the node works without."""
    half_done: bool = False
    """It failed between two states: packages were changed, and are not what they should be."""


@dataclass(frozen=True)
class ConvergeResult:
    """A whole run."""

    nodes: dict[str, NodeResult]
    seconds: float
    check: bool = False
    log: str = ""
    """What Ansible said, without secrets."""
    task_seconds: dict[str, float] = field(default_factory=dict)
    """Task → wall seconds on the slowest node, longest first."""
    quarantined: list[str] = field(default_factory=list)
    """Nodes that take no job until they passed a full validation again, as their GPU software is half done."""
    beyond_limit: list[str] = field(default_factory=list)
    """Nodes of that kind that still take jobs, as too many would leave service."""

    @property
    def broken(self) -> list[str]:
        """Names of the nodes on which the roles did not come to their end."""
        return [n for n, r in self.nodes.items() if r.state in (NodeState.FAILED, NodeState.UNREACHABLE)]

    @property
    def changed(self) -> int:
        """Changes over all nodes."""
        return sum(result.changed for result in self.nodes.values())

    def changes(self) -> dict[str, list[str]]:
        """Task → nodes that it changed, or would change, in the order of the run."""
        found: dict[str, list[str]] = {}
        for name, node in self.nodes.items():
            for task in node.changes:
                found.setdefault(task, []).append(name)
        return found

    def lacking(self) -> dict[str, list[str]]:
        """What optional program could not be built, and why → nodes that do without."""
        found: dict[str, list[str]] = {}
        for name, node in self.nodes.items():
            for one in node.lacking:
                found.setdefault(one, []).append(name)
        return found

    @property
    def modules_per_node(self) -> int:
        """The most modules that ran on one node."""
        return max((result.modules for result in self.nodes.values()), default=0)

    def as_json(self) -> dict[str, Any]:
        """The JSON of `railbed converge --json`."""
        return {
            "nodes": {name: asdict(result) for name, result in self.nodes.items()},
            "changed": self.changed,
            "seconds": self.seconds,
            "modules_per_node": self.modules_per_node,
            "check": self.check,
            "quarantined": self.quarantined,
            "beyond_limit": self.beyond_limit,
            "log": self.log,
        }


def taken_away(quarantined: list[str], beyond_limit: list[str]) -> list[str]:
    """What is said of nodes that a run left half done: those that it took out of service, and those that it must not."""
    lines = [f"{name} takes no jobs until a full validation has passed on it" for name in quarantined]
    if beyond_limit:
        lines.append(
            f"{', '.join(beyond_limit)} may be half done as well and still take jobs: no more nodes may leave service"
            " at once; `railbed node drain` takes one out"
        )
    return lines


def broken(result: ConvergeResult) -> RailbedError:
    """The error for a run that did not end well everywhere; nodes that only do not answer are unproven."""
    lines = [
        f"{name} {result.nodes[name].state}: {result.nodes[name].failed_task}: {result.nodes[name].message}"
        for name in result.broken
    ]
    lines += taken_away(result.quarantined, result.beyond_limit)
    failed = any(result.nodes[name].state == NodeState.FAILED for name in result.broken)
    kind = CommandError if failed else UnprovenError
    return kind(
        "the roles did not come to their end on every node:\n" + "\n".join(lines),
        code="CONVERGE_FAILED" if failed else "CONVERGE_UNREACHABLE", path=result.log, found=result.broken,
        hint="mend the cause and run `railbed converge` again; it goes on where it stopped",
    )  # fmt: skip
