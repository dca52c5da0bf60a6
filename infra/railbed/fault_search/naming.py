"""What guilty parts are called: a node, a rail, a NIC or a cable; several parts of one thing are that thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from railbed.fault_search.common import PRIOR, Cause
from railbed.fault_search.paths import device
from railbed.fault_search.problem import Problem
from railbed.fault_search.record import Record


@dataclass
class Named:
    """One culprit."""

    node: str
    """Empty where no node is to blame."""
    part: str
    """``node``, ``rail 3``, ``nic mlx5_3``, ``cable leaf0:33 spine0:1``, ``switch spine2``,
    ``way a b``, ``fabric``."""
    confidence: float
    tests: list[str]
    """The failed tests that it explains: ``round.number``."""
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        """An entry of ``culprits``."""
        return {
            "node": self.node,
            "part": self.part,
            "confidence": round(self.confidence, 6),
            "tests": self.tests,
            "detail": self.detail,
        }


def suspect_part(record: Record, problem: Problem, part: int) -> tuple[str, str]:
    """Node and part of one part number."""
    if record.what == "nodes":
        return problem.parts[part], "node"
    if record.what == "rails":
        node, rail = problem.parts[part].split(" ")
        return node, f"rail {rail}"
    return _cable(problem, part)


def named_parts(
    record: Record, problem: Problem, guilty: set[int], probability: Sequence[float], causes: Sequence[Cause]
) -> list[Named]:
    """The culprits: common causes first, then parts in their order."""
    found = [
        Named("", problem.groups[c.group], c.confidence, [problem.ids[place] for place in c.tests])
        for c in causes
    ]
    explained = {place for cause in causes for place in cause.tests}
    failing: dict[int, list[str]] = {}
    for place, test in enumerate(problem.tests):
        if test.failed and place not in explained:
            for part in set(test.parts) & guilty:
                failing.setdefault(part, []).append(problem.ids[place])
    for members, name, detail in _things(record, problem, guilty):
        tests = list(dict.fromkeys(test for part in members for test in failing.get(part, ())))
        found.append(Named(*name, min(probability[part] for part in members), tests, detail))
    return found


def named_paths(record: Record, problem: Problem, broken: Sequence[Sequence[int]]) -> list[Named]:
    """PathFaults between two ends that fail although nothing on them fails elsewhere."""
    found = []
    for places in broken:
        test = problem.planned[places[0]]
        ends, rail = test.nodes, "" if test.rail is None else f" on rail {test.rail}"
        chance = record.rule.noise ** len(places)
        found.append(
            Named("", f"way {ends[0]} {ends[1]}{rail}", PRIOR / (PRIOR + chance), [problem.ids[p] for p in places],
                  test.path or "both are good with others")
        )  # fmt: skip
    return found


def _things(
    record: Record, problem: Problem, guilty: set[int]
) -> list[tuple[list[int], tuple[str, str], str]]:
    """Guilty parts that are one thing, its name, and what is to be said about it."""
    things: dict[tuple[str, str], list[int]] = {}
    for part in sorted(guilty):
        things.setdefault(suspect_part(record, problem, part), []).append(part)
    whole = _whole_nodes(record, things)
    found = []
    for name, members in things.items():
        node = name[0]
        if node not in whole:
            found.append((members, name, _direction(record, problem, members)))
        elif whole[node]:
            found.append((whole.pop(node), (node, "node"), "all of its rails"))
            whole[node] = []
    return found


def _whole_nodes(record: Record, things: dict[tuple[str, str], list[int]]) -> dict[str, list[int]]:
    """Nodes of which every rail is guilty (of several), with all their guilty parts."""
    planes = record.fabric.planes if record.what == "links" and record.fabric else 1
    every = record.rails * planes
    of_node: dict[str, list[list[int]]] = {}
    for (node, _), members in things.items():
        if node:
            of_node.setdefault(node, []).append(members)
    if record.what == "nodes" or every < 2:
        return {}
    return {
        node: [part for members in several for part in members]
        for node, several in of_node.items()
        if len(several) == every
    }


def _cable(problem: Problem, part: int) -> tuple[str, str]:
    """Of a cable between a node and its leaf the node and its NIC, else the cable, its lower end first."""
    lower, upper = problem.parts[part - part % 2].split(" ")
    if device(lower) in problem.hosts:
        return device(lower), f"nic {lower.rpartition(':')[2]}"
    return "", f"cable {lower} {upper}"


def _direction(record: Record, problem: Problem, members: Sequence[int]) -> str:
    if record.what != "links":
        return ""
    source, target = problem.parts[members[0]].split(" ")
    cable = " to ".join(problem.parts[members[0] - members[0] % 2].split(" "))
    return f"{cable}, both ways" if len(members) > 1 else f"only from {source} to {target}"
