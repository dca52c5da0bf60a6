"""From the record to the decoder's terms: parts, tests that ran, and what they hang on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from railbed.claims import Verdict
from railbed.errors import UsageError
from railbed.fabric import Fabric, Names, cables
from railbed.fault_search.common import FABRIC
from railbed.fault_search.decode import Law, Trial
from railbed.fault_search.paths import device, hops
from railbed.fault_search.record import Planned, Record
from railbed.fault_search.shape import Shape


@dataclass
class Problem:
    """Parts that may be bad, tests over them, groups that the tests hang on."""

    law: Law
    parts: list[str] = field(default_factory=list)
    """Node; ``node rail``; or ``port port`` of a cable and direction."""
    trusted: set[int] = field(default_factory=set)
    """Parts that are known to be good."""
    tests: list[Trial] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Of the tests: ``round.number``, both from 1."""
    planned: list[Planned] = field(default_factory=list)
    """The tests as they stand in the record."""
    groups: list[str] = field(default_factory=lambda: ["fabric"])
    hosts: set[str] = field(default_factory=set)
    """Of a search among links: the nodes, as distinct from switches."""
    wanted: set[int] = field(default_factory=set)
    """Parts that need a result before anything is sure."""
    unloadable: dict[str, int] = field(default_factory=dict)
    """Of a search among links: cables per tier that no flow between two of the nodes can load."""
    sharing: int = 1
    first_round: int = 0
    """How many of the tests belong to the first round."""


def law_of(record: Record) -> Law:
    """How this record's faults make tests fail."""
    least = record.rule.least_failing
    return Law(shares=(1.0,) if least == 1 else (1.0, least), noise=record.rule.noise)


def problem_of(record: Record, where: str = "") -> Problem:
    """The record's parts and results. Raises UsageError for a path that is not of the record's fabric."""
    if record.what == "links":
        return _of_links(record, where)
    return _of_rails(record) if record.what == "rails" else _of_nodes(record)


def _ran(record: Record) -> list[tuple[int, int, Planned]]:
    """Round, number within it (both from 1) and test, of all that have a result."""
    return [
        (number, index, test)
        for number, one in enumerate(record.rounds, 1)
        for index, test in enumerate(one.tests, 1)
        if test.ran
    ]


def _add(
    problem: Problem, place: tuple[int, int], parts: list[int], test: Planned, groups: list[int]
) -> None:
    number, index = place
    slot = (number, test.stage, -1 if test.rail is None else test.rail)
    failed = test.verdict is Verdict.FAIL
    problem.tests.append(Trial(tuple(parts), failed, slot, (FABRIC, *groups)))
    problem.ids.append(f"{number}.{index}")
    problem.planned.append(test)
    problem.first_round += number == 1


def _of_nodes(record: Record) -> Problem:
    problem = Problem(law_of(record), parts=record.players)
    index = {name: place for place, name in enumerate(problem.parts)}
    problem.trusted = {index[name] for name in record.known_good}
    problem.wanted = set(range(len(problem.parts))) - problem.trusted
    for number, count, test in _ran(record):
        _add(problem, (number, count), [index[name] for name in test.nodes], test, [])
    return problem


def _of_rails(record: Record) -> Problem:
    players, rails = record.players, record.rails
    problem = Problem(law_of(record), parts=[f"{name} {rail}" for name in players for rail in range(rails)])
    index = {name: place for place, name in enumerate(players)}
    problem.trusted = {index[name] * rails + rail for name in record.known_good for rail in range(rails)}
    problem.wanted = set(range(len(problem.parts))) - problem.trusted
    size = record.unit_nodes or len(players)
    units = -(-len(players) // size)
    for unit in range(units):
        problem.groups += [
            f"rail {rail}" + (f" of unit {unit}" if units > 1 else "") for rail in range(rails)
        ]
    for number, count, test in _ran(record):
        rail, places = test.rail or 0, [index[name] for name in test.nodes]
        leaves = sorted({1 + place // size * rails + rail for place in places})
        _add(problem, (number, count), [place * rails + rail for place in places], test, leaves)
    return problem


def _of_links(record: Record, where: str) -> Problem:
    fabric, names = record.sized()
    problem = Problem(law_of(record), sharing=2, hosts=set(record.nodes))
    index: dict[str, int] = {}
    switches: dict[str, int] = {}
    good, loaded = set(record.known_good), _loadable(fabric, names)
    for cable in cables(fabric, names):
        ends = f"{cable.source}:{cable.source_port}", f"{cable.target}:{cable.target_port}"
        both = {len(index), len(index) + 1}
        for hop in (" ".join(ends), " ".join(reversed(ends))):
            index[hop] = len(index)
        switches.setdefault(cable.target, len(switches) + 1)
        if cable.tier == "node_leaf":
            problem.trusted |= both if cable.source in good else set()
        else:
            switches.setdefault(cable.source, len(switches) + 1)
            problem.wanted |= both if cable.source in loaded else set()
            problem.unloadable[cable.tier] = problem.unloadable.get(cable.tier, 0) + (
                cable.source not in loaded
            )
    problem.parts = list(index)
    problem.groups += [f"switch {name}" for name in switches]
    for number, one in enumerate(record.rounds, 1):
        for count, test in enumerate(one.tests, 1):
            path = hops(test.path or "")
            if not _is_way(path, index, test):
                raise UsageError(
                    "this path is not one of the record's fabric", code="BLAME_RECORD",
                    path=f"{where}:rounds[{number - 1}].tests[{count - 1}].path", found=(test.path or "")[:200],
                    hint="a path may be another than planned, but made of the fabric's cables",
                )  # fmt: skip
            if test.ran:
                on_the_way = sorted({switches[device(hop.split(" ")[0])] for hop in path[1:]})
                _add(problem, (number, count), [index[hop] for hop in path], test, on_the_way)
    return problem


def _loadable(fabric: Fabric, names: Names) -> set[str]:
    """Leaves and spines whose uplinks flows between two nodes can load."""
    shape, planes = Shape(fabric), range(fabric.request.planes)
    if len(shape.peopled) < 2:
        return set()
    leaves = [names.switch_names("leaf", plane, fabric.leaf) for plane in planes]
    found = {of_plane[leaf] for of_plane in leaves for leaf in shape.peopled}
    if fabric.core and len(shape.pods) > 1:
        spines = [names.switch_names("spine", plane, fabric.spine) for plane in planes]
        places = [pod * fabric.up + place for pod in shape.pods for place in range(fabric.up)]
        found |= {of_plane[spine] for of_plane in spines for spine in places}
    return found


def _is_way(path: list[str], index: dict[str, int], test: Planned) -> bool:
    """True where the path runs over cables of the fabric from the sender to the receiver."""
    if len(path) < 2 or any(hop not in index for hop in path):
        return False
    ends = [(device(one), device(other)) for one, other in (hop.split(" ") for hop in path)]
    joined = all(a[1] == b[0] for a, b in itertools.pairwise(ends))
    return joined and (ends[0][0], ends[-1][1]) == test.nodes
