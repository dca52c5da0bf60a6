"""Which part is slow, where many nodes load a fabric in pairs: a rail of a node, a leaf switch, the way between two. Pure.

Of each flow the best window counts: other load only lowers a rate. What one window alone saw slow accuses nobody: load that comes
and goes within it is no fault of the fabric. A part is bad where nearly all flows through it are slow, in two windows at least.
The fewest bad parts that explain the slow flows are named. Where flows share uplinks a slow flow may have met one more on its
way, so there the mean of a leaf's flows is judged as well, and a flow counts as slow at half of that floor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from railbed.claims import Verdict
from railbed.judge.rails import RailSample
from railbed.text import few

Leaves = Mapping[tuple[str, int], str]
"""Node and rail → the leaf switch that it is cabled to."""
Part = tuple[str, str, str]
"""Node (empty: none), what it is called, and the side: ``out``, ``in`` or empty."""
End = tuple[str, str]
"""Node and part, as blame knows them."""
Side = tuple[str, str]
"""A leaf, and ``out`` or ``in``."""
Key = tuple[str, int, str, int]
"""Sender, rail there, receiver, rail there."""

NEARLY_ALL = 0.75
"""Share of the flows through a part that are slow, where the part is bad: its partners in two of them come to a half."""
LEAST_FLOWS = LEAST_WINDOWS = 2
SLOW_SHARE = 0.5
"""Of the floor for the mean of a leaf, what one flow across leaves must reach: four flows on one uplink."""
SHOWN = 4
LISTED = 64


@dataclass(frozen=True)
class Outcome:
    """The verdict on all flows."""

    verdict: Verdict
    reason: str
    measured: float | None = None
    floor: float | None = None
    guilty: list[End] = field(default_factory=list)
    slow: list[Key] = field(default_factory=list)
    """Flows that are slow, in their order."""
    once: list[Key] = field(default_factory=list)
    """Flows that one window alone saw slow, under good conditions, and that no bad part explains."""


def leaf_name(leaf: str, rail: int, unit: int) -> str:
    """What a leaf is called; a provider's by its rail and block."""
    return leaf or f"leaf of rail {rail} in unit {unit}"


def best(samples: Iterable[RailSample]) -> dict[Key, float]:
    """The best rate of each flow that has one."""
    found: dict[Key, float] = {}
    for s in samples:
        if s.gbps is not None:
            key = (s.sender, s.rail, s.receiver, s.far_rail)
            found[key] = max(found.get(key, 0.0), s.gbps)
    return found


def judge(
    samples: Sequence[RailSample], leaves: Leaves, floor: float, *, shared: bool, known: Collection[End] = ()
) -> Outcome:
    """Fail: flows that were slow under good conditions, or that a rail of ``known`` explains; unproven: only under bad ones,
    or in one window only.

    ``shared``: whether flows share uplinks; ``floor``: Gb/s of a flow, or of the mean of a leaf's flows where they do.

    ``known``: rails that failed by themselves, which explain the flows that end in them.
    """
    rates = best(samples)
    if not rates:
        return Outcome(Verdict.UNPROVEN, "no flow gave a rate", floor=floor)
    below = [key for key, gbps in rates.items() if gbps < floor * (SLOW_SHARE if shared else 1.0)]
    # What ran beside other load is fast where it was fast; where it was slow nothing is known.
    quiet = {key: rates[key] for key in best(s for s in samples if not s.disturbed)}
    slow = [key for key in below if key in quiet or any(end in known for end in _ends(key))]
    by_leaf = _by_leaf(quiet, leaves) if shared else {}
    means = {side: fmean(of) for side, of in by_leaf.items()}
    # Where one end drags the mean down, that end is named instead.
    low = {
        side: mean for side, mean in means.items() if mean < floor and _most(g < floor for g in by_leaf[side])
    }
    measured = min((means or rates).values())
    ends = [end for key in slow for end in _ends(key) if end in known]
    rest = [key for key in slow if not any(end in known for end in _ends(key))]
    # Where all leaves are slow it is what joins them.
    named = [("", leaf) for leaf, _ in low] if 2 * len(low) <= len(means) else []
    windows = _windows(samples)
    considered = {key: gbps for key, gbps in rates.items() if key in quiet or key in rest}
    parts, unexplained = _cover(considered, {key: windows.get(key, set()) for key in rest}, leaves, named)
    once = [key for key in rest if key in unexplained and len(windows.get(key, ())) < LEAST_WINDOWS]
    slow = [key for key in slow if key not in once]
    named += parts
    if not slow and not low and below:
        bad = next((s.disturbed for s in samples if s.disturbed), "slow in one window only")
        reason = f"{bad} ({len(below)} of {len(rates)} flows were slow)"
        return Outcome(Verdict.UNPROVEN, reason, measured, floor, once=once[:LISTED])
    if not slow and not low:
        return Outcome(Verdict.PASS, f"{len(rates)} flows, the {'lowest mean of a leaf' if shared else 'slowest'} "
                       f"{measured:.4g} Gb/s holds the floor of {floor:.4g}", measured, floor)  # fmt: skip
    # A leaf is slow because of its rails where each of them failed by itself.
    for leaf in [part for node, part in named if not node]:
        of = [(node, f"rail {rail}") for (node, rail), name in leaves.items() if name == leaf]
        if of and all(end in known for end in of):
            named.remove(("", leaf))
            ends += of
    guilty = list(dict.fromkeys([*ends, *named]))
    said = [f"{_words(key)} {rates[key]:.4g} Gb/s" for key in sorted(slow, key=lambda key: rates[key])]
    said = [f"{leaf} {side}going {mean:.4g} Gb/s in the mean" for (leaf, side), mean in low.items()] + said
    reason = f"{len(slow)} of {len(rates)} flows are slow, floor {floor:.4g} Gb/s: {few(said, SHOWN, '; ')}"
    return Outcome(Verdict.FAIL, reason, measured, floor, guilty, slow[:LISTED], once[:LISTED])


def _windows(samples: Iterable[RailSample]) -> dict[Key, set[int]]:
    """The windows that measured each flow under good conditions."""
    found: dict[Key, set[int]] = defaultdict(set)
    for s in samples:
        if s.gbps is not None and not s.disturbed:
            found[s.sender, s.rail, s.receiver, s.far_rail].add(s.window)
    return found


def _words(key: Key) -> str:
    sender, rail, receiver, far = key
    return f"{sender} to {receiver}, rail {rail}" + (f" to {far}" if far != rail else "")


def _ends(key: Key) -> tuple[End, End]:
    sender, rail, receiver, far = key
    return (sender, f"rail {rail}"), (receiver, f"rail {far}")


def _by_leaf(rates: Mapping[Key, float], leaves: Leaves) -> dict[Side, list[float]]:
    """Rates of the flows that leave a leaf, and of those that come to it."""
    found: dict[Side, list[float]] = defaultdict(list)
    for (sender, rail, receiver, far), gbps in rates.items():
        found[leaves[sender, rail], "out"].append(gbps)
        found[leaves[receiver, far], "in"].append(gbps)
    return {side: of for side, of in found.items() if len(of) >= LEAST_FLOWS}


def _most(slow: Iterable[bool]) -> bool:
    seen = list(slow)
    return sum(seen) >= NEARLY_ALL * len(seen)


def _parts(key: Key, leaves: Leaves, lone: Mapping[str, str]) -> list[Part]:
    """What a flow passes, the most specific first. ``lone``: leaf that is the only one of a rail → that rail."""
    sender, rail, receiver, far = key
    here, there = leaves[sender, rail], leaves[receiver, far]
    found = [(sender, f"rail {rail}", "out"), (receiver, f"rail {far}", "in")]
    if here != there:
        found += [("", f"way {here} {there}", ""), ("", here, "out"), ("", there, "in")]
    elif here in lone:
        found.append(("", lone[here], ""))
    else:
        found.append(("", here, ""))
    if rail == far and not (here == there and here in lone):
        found.append(("", f"rail {rail}", ""))
    return found


def _cover(
    rates: Mapping[Key, float], slow: Mapping[Key, set[int]], leaves: Leaves, named: Collection[End]
) -> tuple[list[End], set[Key]]:
    """The fewest bad parts that explain the slow flows, and the flows that none explains.

    ``slow``: flow → the windows that saw it slow. ``named``: parts that are named already.
    """
    by_rail: dict[int, set[str]] = defaultdict(set)
    for sender, rail, receiver, far in rates:
        by_rail[rail].add(leaves[sender, rail])
        by_rail[far].add(leaves[receiver, far])
    lone = {next(iter(names)): f"rail {rail}" for rail, names in by_rail.items() if len(names) == 1}
    through: dict[Part, list[Key]] = defaultdict(list)
    order: dict[Part, int] = {}
    for key in rates:
        for place, part in enumerate(_parts(key, leaves, lone)):
            through[part].append(key)
            order.setdefault(part, place)
    left, found = set(slow), []
    bad = {
        part: keys for part, keys in through.items()
        if len(keys) >= LEAST_FLOWS and _most(key in left for key in keys)
        and len({window for key in keys for window in slow.get(key, ())}) >= LEAST_WINDOWS
    }  # fmt: skip
    while left:
        fitting = {part: covered for part, keys in bad.items() if (covered := left & set(keys))}
        if not fitting:
            break
        part = min(fitting, key=lambda one: (-len(fitting[one]), len(bad[one]), order[one], one))
        left -= fitting[part]
        found.append(part[:2])
    return [end for end in dict.fromkeys(found) if end not in named], left
