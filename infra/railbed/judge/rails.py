"""Judges measurements that are confined to one rail: the only ones that prove a rail.

A flow from A to B shows the slower of A's way out and B's way in. So a direction of a node is slow only where it is slow with
all partners, and a bad partner never condemns a good node. A partner with whom it is slow must be slow with others too: else
the path between them is at fault, or nobody knows which of the two. Flows that were repeated are compared by their means too,
which finds losses that noise hides in one flow.

A flow that ran under bad conditions can prove that a rail is good, since other load only lowers a rate. It can prove that a
rail is bad only beside the node's other rails, which ran under the same conditions (``railbed.judge.windows``).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from railbed.claims import Expectation, FrozenModel, Judged, Verdict
from railbed.defaults import SIBLING_TOLERANCE
from railbed.judge import compare, sound, windows
from railbed.judge.peers import median_without

PARTNERS_NEEDED = 2
SIDES = {"out": "node", "in": "switch"}
"""Direction seen from the node → side of its cable whose shaping, port or NIC limits it."""
OTHER = {"out": "in", "in": "out"}
"""Direction of a flow at one end → at the other end."""


class RailSample(FrozenModel):
    """One flow over one rail, from ``sender`` to ``receiver``."""

    rail: int
    """At the sender, and where ``to_rail`` does not say another one at the receiver."""
    sender: str
    receiver: str
    gbps: float | None
    """Payload that arrived, Gb/s. 0: bytes were offered and none arrived; None: it was not measured."""
    omitted_s: float
    """Seconds at the start that do not count: a shaper's burst lies in them."""
    reason: str = ""
    """Why there is no rate, or why it is 0."""
    window: int = 0
    """Number of the window in which it ran: flows of one window ran side by side."""
    carrier: bool = True
    """False where an interface of the rail had none: a fact about the rail, whatever else its nodes were busy with."""
    disturbed: str = ""
    """What was wrong with the conditions of its ends in that window; empty where nothing was."""
    sending: tuple[float, float] | None = None
    """Seconds after the window's start between which it certainly sent; None: not known."""
    to_rail: int | None = None
    """At the receiver, where that may be another rail."""

    @property
    def far_rail(self) -> int:
        return self.rail if self.to_rail is None else self.to_rail


Key = tuple[str, int, str]
"""Node, rail, direction (``out`` or ``in``)."""


Flows = dict[Key, dict[str, list[float]]]


def _by_direction(samples: Iterable[RailSample], least_omitted_s: float) -> Flows:
    """Rates with each partner. Flows that hold the shaper's burst, or were not run, do not count."""
    found: Flows = {}
    for s in samples:
        if s.gbps is None or s.omitted_s < least_omitted_s:
            continue
        for key, partner in (((s.sender, s.rail, "out"), s.receiver), ((s.receiver, s.rail, "in"), s.sender)):
            found.setdefault(key, {}).setdefault(partner, []).append(s.gbps)
    return found


def _believed(sample: RailSample, line_gbps: float | None) -> RailSample:
    """The flow, without its rate where that cannot be true: a wrong number compares with nothing."""
    reason = "" if sample.gbps is None else sound.doubt(sample.gbps, line_gbps, "Gb/s", "the line rate")
    return sample.model_copy(update={"gbps": None, "reason": reason}) if reason else sample


class _Table:
    """Best rates of all nodes, rails and directions, and what each is compared with."""

    def __init__(self, flows: Flows) -> None:
        self.rates = {
            key: {p: max(rates) for p, rates in partners.items()} for key, partners in flows.items()
        }
        self.slower = _slower_by_their_means(flows)
        rates = self.rates
        self.best = {key: max(partners.values()) for key, partners in rates.items()}
        self._of_node: dict[tuple[str, str], list[float]] = {}
        self._of_rail: dict[tuple[int, str], list[float]] = {}
        for (node, rail, direction), rate in self.best.items():
            insort(self._of_node.setdefault((node, direction), []), rate)
            insort(self._of_rail.setdefault((rail, direction), []), rate)

    def siblings(self, key: Key) -> float | None:
        """Median of the node's other rails in the same direction."""
        return median_without(self._of_node[key[0], key[2]], self.best[key])

    def elsewhere(self, key: Key) -> float | None:
        """Median of the same rail on other nodes in the same direction."""
        return median_without(self._of_rail[key[1], key[2]], self.best[key])


def _slower_by_their_means(flows: Flows) -> dict[Key, list[str]]:
    """Directions whose repeats are slower than the node's other rails, or this rail elsewhere, beyond noise.

    Of each direction the partner with the best mean speaks. Directions with fewer than MIN_REPEATS are not compared.
    """
    series: dict[Key, list[float]] = {}
    for key, partners in flows.items():
        best = max(partners.values(), key=fmean)
        if len(best) >= compare.MIN_REPEATS:
            series[key] = best
    alike: dict[tuple[str, str, str], dict[str, Key]] = {}
    for node, rail, direction in series:
        alike.setdefault(("its sibling rails", node, direction), {})[str(rail)] = (node, rail, direction)
        alike.setdefault(("this rail elsewhere", str(rail), direction), {})[node] = (node, rail, direction)
    slower: dict[Key, list[str]] = {}
    for (what, _, _), keys in alike.items():
        values = {name: series[key] for name, key in keys.items()}
        for name, found in compare.among(values, comparisons=2 * len(series)).items():
            if found.lost:
                finding = f"{found.loss:.1%} below {what} ({found.reference:.4g}) in the mean of {found.repeats} flows"
                slower.setdefault(keys[name], []).append(finding)
    return slower


def _complaints(table: _Table, key: Key, expectation: Expectation) -> list[str]:
    """Why this direction is too slow; empty where it is not, or was not measured."""
    best = table.best.get(key)
    if best is None:
        return []
    found = []
    if expectation.floor is not None and best < expectation.floor:
        found.append(f"below the gate of {expectation.floor:.4g}")
    for name, other in (
        ("its sibling rails", table.siblings(key)),
        ("this rail elsewhere", table.elsewhere(key)),
    ):
        if other and best < other * (1 - SIBLING_TOLERANCE):
            found.append(f"{1 - best / other:.1%} below {name} ({other:.4g})")
    return found or table.slower.get(key, [])


def _lacking(table: _Table, quiet: _Table, node: str, rail: int, expectation: Expectation) -> str:
    """Why the samples cannot prove this rail of this node; empty where they can.

    A partner counts against it only by flows under good conditions, those of ``quiet``.
    """
    if expectation.floor is None:
        return "nobody published what this rail must reach"
    for direction in SIDES:
        partners = table.rates.get((node, rail, direction), {})
        verb = "sent to" if direction == "out" else "received from"
        if len(partners) < PARTNERS_NEEDED:
            return f"{verb} {len(partners)} partners, needs {PARTNERS_NEEDED}"
        if max(partners.values()) >= expectation.floor:
            for partner, rate in quiet.rates.get((node, rail, direction), {}).items():
                doubt = _doubt(table, (partner, rail, OTHER[direction]), expectation)
                if rate < expectation.floor and doubt:
                    return f"{verb} {partner} at {rate:.4g} Gb/s, {doubt}"
    return ""


def _doubt(table: _Table, partner: Key, expectation: Expectation) -> str:
    """Why a slow flow with this partner leaves a doubt about a rail that is fast with another; empty where it does not."""
    if len(table.rates.get(partner, {})) < PARTNERS_NEEDED:
        return "and nothing says which of the two is slow"
    return "" if _complaints(table, partner, expectation) else "though both hold the gate with others"


class _Tables:
    """Rates of all flows, those of flows under good conditions, and the flows of each node by window."""

    def __init__(self, samples: Sequence[RailSample], least_omitted_s: float) -> None:
        self.all = _Table(_by_direction(samples, least_omitted_s))
        quiet = [s for s in samples if not s.disturbed]
        self.quiet = self.all if len(quiet) == len(samples) else _Table(_by_direction(quiet, least_omitted_s))
        self.windows = windows.by_node(
            (s.window, s.sender, s.receiver, s.rail, s.gbps)
            for s in samples
            if s.gbps is not None and s.omitted_s >= least_omitted_s
        )

    def proof(self, key: Key, expectation: Expectation) -> str:
        """What proves that a direction is slow; empty where nothing does."""
        found = _complaints(self.quiet, key, expectation)
        if found and len(self.quiet.rates[key]) >= PARTNERS_NEEDED:
            return f"{self.quiet.best[key]:.4g} Gb/s {', '.join(found)}; with every partner"
        node, rail, direction = key
        seen = self.windows.get((node, direction), [])
        return windows.apart(seen, rail, PARTNERS_NEEDED)


def judge(
    samples: Sequence[RailSample],
    expectations: Mapping[int, Expectation],
    nodes: Sequence[str],
    *,
    least_omitted_s: float = 0.0,
    simulated: bool = False,
) -> list[Judged]:
    """One verdict per rail in ``expectations`` (Gb/s) and node in ``nodes``.

    Pass: both directions measured with two partners or more, the best at the gate or above and no more than
    the sibling tolerance below the node's other rails and below the same rail elsewhere, and every partner below the gate
    slow with others too. Fail: a direction
    slow with all of its partners, under good conditions or beside sibling rails that were not. Else unproven.
    ``samples`` may hold partners that are not in ``nodes``.
    """
    lines = [e.bound for e in expectations.values() if e.bound is not None]
    samples = [_believed(s, max(lines, default=None)) for s in samples]
    tables = _Tables(samples, least_omitted_s)
    return [
        _verdict(tables, samples, node, rail, expectation, simulated)
        for node in nodes
        for rail, expectation in sorted(expectations.items())
    ]


def _verdict(
    tables: _Tables,
    samples: Sequence[RailSample],
    node: str,
    rail: int,
    expectation: Expectation,
    simulated: bool,
) -> Judged:
    table = tables.all
    best = {d: table.best[node, rail, d] for d in SIDES if (node, rail, d) in table.best}
    slow = [d for d in best if _complaints(table, (node, rail, d), expectation)]
    proved = {d: proof for d in slow if (proof := tables.proof((node, rail, d), expectation))}
    lacking = _lacking(table, tables.quiet, node, rail, expectation)
    if proved:
        verdict = Verdict.FAIL
        reason = "; ".join(f"{d}going {proof}" for d, proof in proved.items())
    elif lacking:
        verdict, reason = Verdict.UNPROVEN, lacking + _why_not(samples, node, rail)
    elif slow:
        verdict, reason = (
            Verdict.UNPROVEN,
            _disturbed(samples, node, rail) or _undecided(table, node, rail, slow),
        )
    else:
        verdict, reason = Verdict.PASS, "both directions hold the gate and their siblings"
    partners = {d: table.rates.get((node, rail, d), {}) for d in SIDES}
    return Judged(
        claim=f"fabric.rail.{rail}.bandwidth",
        node=node,
        verdict=verdict,
        measured=min(best.values()) if best else None,
        unit="Gb/s",
        expected=expectation.expected,
        floor=expectation.floor,
        bound=expectation.bound,
        basis=expectation.basis,
        derivation=expectation.derivation,
        reason=reason,
        simulated=simulated,
        detail={
            "parts": [f"rail {rail}"],
            "sides": [SIDES[d] for d in SIDES if d in proved],
            "gbps": {d: best.get(d) for d in SIDES},
            "partners": partners,
        },
    )


def _disturbed(samples: Sequence[RailSample], node: str, rail: int) -> str:
    """The conditions of this rail's flows, last first; empty where they were good."""
    mine = [s.disturbed for s in samples if s.rail == rail and node in (s.sender, s.receiver) and s.disturbed]
    return mine[-1] if mine else ""


def _undecided(table: _Table, node: str, rail: int, slow: Sequence[str]) -> str:
    rates = ", ".join(f"{d}going {table.best[node, rail, d]:.4g} Gb/s" for d in slow)
    return f"{rates}: slow, with too few partners to say whose fault it is"


def _why_not(samples: Sequence[RailSample], node: str, rail: int) -> str:
    """The first reason given by a flow of this rail that was not run."""
    reasons = (s.reason for s in samples if s.rail == rail and node in (s.sender, s.receiver) and s.reason)
    first = next(reasons, "")
    return f" ({first})" if first else ""
