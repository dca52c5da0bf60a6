"""A plan as Slurm's view of the network: topology.conf of topology/tree, topology.yaml of topology/block (≥ 25.05).

To the scheduler a scalable unit is one switch: any two of its nodes meet in a leaf on every rail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from railbed.fabric.cables import node_place
from railbed.fabric.names import Names
from railbed.fabric.rule import Fabric

TRAILING = re.compile(r"^(.*?)(\d{1,18})$")


def tree(fabric: Fabric, names: Names) -> Iterator[str]:
    """Lines of topology.conf: one leaf per scalable unit, pods where whole units make one, and the root."""
    units = dict(units_of(fabric, names))
    yield "# railbed: one leaf per scalable unit; every unit has a switch on each rail and plane.\n"
    for unit, nodes in units.items():
        yield f"SwitchName=su{unit} Nodes={hostlist(nodes)}\n"
    below, kind = [f"su{unit}" for unit in units], "su"
    if fabric.pods and (each := _units_of_a_pod(fabric)):
        pods: dict[int, list[str]] = {}
        for unit in units:
            pods.setdefault(unit // each, []).append(f"su{unit}")
        for pod, members in pods.items():
            yield f"SwitchName=pod{pod} Switches={hostlist(members)}\n"
        below, kind = [f"pod{pod}" for pod in pods], "pod"
    if len(below) > 1 or kind == "pod":
        yield f"SwitchName={'core' if fabric.core else 'spine'} Switches={hostlist(below)}\n"


def block(fabric: Fabric, names: Names) -> Iterator[str]:
    """Lines of topology.yaml: one block per scalable unit.

    Slurm plans in blocks of one base size that every block must reach, so the smallest unit sets it; where pods
    hold a power of two of units, a pod is the next size.
    """
    units = dict(units_of(fabric, names))
    base = min(len(nodes) for nodes in units.values())
    each = _units_of_a_pod(fabric)
    higher = [base * each] if fabric.pods > 1 and each > 1 and each & (each - 1) == 0 else []
    yield "# railbed: one block per scalable unit; Slurm 25.05 or newer. The smallest unit sets the base size.\n"
    yield "---\n- topology: scalable_units\n  cluster_default: true\n  block:\n    block_sizes:\n"
    yield from (f"      - {size}\n" for size in [base, *higher])
    yield "    blocks:\n"
    for unit, nodes in units.items():
        yield f"      - block: su{unit}\n        nodes: {hostlist(nodes)}\n"


def units_of(fabric: Fabric, names: Names) -> Iterator[tuple[int, list[str]]]:
    """``(scalable unit, its nodes)`` of every unit that has nodes, in order."""
    current, members = -1, list[str]()
    for node in range(fabric.request.nodes):
        unit = node_place(fabric, node) // fabric.down
        if unit != current and members:
            yield current, members
            members = []
        current = unit
        members.append(names.node_name(node))
    yield current, members


def _units_of_a_pod(fabric: Fabric) -> int:
    """Whole units of a pod; 0 where a unit's leaves lie in two pods."""
    return 0 if fabric.half % fabric.request.rails else fabric.half // fabric.request.rails


def hostlist(names: Iterable[str]) -> str:
    """Slurm's short form: ``node-[0-31,40]``. Numbers written with leading zeros keep their width."""
    split = [(name, TRAILING.match(name)) for name in names]
    padded = {
        (found[1], len(found[2])) for _, found in split if found and found[2][0] == "0" and len(found[2]) > 1
    }
    groups: dict[tuple[str, int], list[int]] = {}
    for _, found in split:
        if found:
            key = (found[1], len(found[2]))
            groups.setdefault(key if key in padded else (found[1], 0), []).append(int(found[2]))
    whole = [name for name, found in split if not found]
    parts = [f"{prefix}{_ranges(sorted(numbers), width)}" for (prefix, width), numbers in groups.items()]
    return ",".join([*whole, *parts])


def _ranges(numbers: list[int], width: int) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [f"{a:0{width}d}" if a == b else f"{a:0{width}d}-{b:0{width}d}" for a, b in runs]
    return texts[0] if len(numbers) == 1 else f"[{','.join(texts)}]"
