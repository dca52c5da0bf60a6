"""An observed fabric against its plan: what is missing, extra, swapped, slow or down, by names and ports.

A plain topology shows no port without a link: a pulled cable is then ``missing``; a report of ports shows ``down``.
A cable of the wrong place counts once, as ``swapped``, with what each of its ends should have met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from railbed.claims import Verdict
from railbed.fabric.cables import Cable
from railbed.fabric.observed import Link, Observed, Port

SAME_CLUSTER_FRACTION = 0.5
"""With fewer planned cables found than this, or fewer of the found ones planned, the file may be another cluster's."""


@dataclass(frozen=True)
class Difference:
    """One cable that is not as planned."""

    kind: str
    """missing, extra, swapped, slow or down."""
    ends: tuple[Port, Port]
    expected: tuple[str | None, ...]
    """The planned peer of each end (None: no cable is planned there); of a slow link its expected rate."""
    tier: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        """An entry of ``differences``."""
        return {
            "kind": self.kind,
            "ends": [str(end) for end in self.ends],
            "expected": list(self.expected),
            "tier": self.tier,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Verification:
    """The verdict on the cabling, with what it rests on."""

    verdict: Verdict
    reason: str
    differences: list[Difference]
    planned: int
    found: int
    """Planned cables that were seen where they belong."""
    rated: int
    """Of those, cables whose rate is known."""


class _Comparison:
    def __init__(self, planned: Iterable[Cable], observed: Observed, extra_devices: frozenset[str]) -> None:
        self.cables = [
            (Port(c.source, str(c.source_port)), Port(c.target, str(c.target_port)), c.tier) for c in planned
        ]
        self.peer = {one: other for one, other, _ in self.cables} | {
            other: one for one, other, _ in self.cables
        }
        self.observed = observed
        self.extra_devices = extra_devices
        self.devices = {end.device for end in self.peer} - extra_devices
        self.switches = {other.device for _, other, _ in self.cables}
        self.nodes = self.devices - self.switches
        self.seen: dict[Port, dict[Port, Link]] = {}
        for link in observed.links:
            self.seen.setdefault(link.one, {})[link.other] = link
            self.seen.setdefault(link.other, {})[link.one] = link
        self.good: list[tuple[Port, Port, str, Link]] = []
        self.used: set[frozenset[Port]] = set()
        self.settled: set[Port] = set()
        for one, other, tier in self.cables:
            met = self._link(one, other)
            if met:
                self.good.append((one, other, tier, met))
                self.used.add(frozenset((met.one, met.other)))
                self.settled |= {one, other}

    def _link(self, one: Port, other: Port) -> Link | None:
        """The observed link of a planned cable; at an extra endpoint any device will do that the plan does not know."""
        if one.device in self.extra_devices:
            return next(
                (n for p, n in self.seen.get(other, {}).items() if p.device not in self.devices), None
            )
        return self.seen.get(one, {}).get(other)

    def strangers(self) -> set[str]:
        """Devices at switches of this fabric that the plan does not know, extra endpoints aside."""
        met = {
            other.device
            for link in self.observed.links
            for one, other in ((link.one, link.other), (link.other, link.one))
            if one.device in self.switches and one not in self.settled
        }
        return met - self.devices

    def absent(self) -> Iterator[tuple[Port, Port, str]]:
        """Planned cables with no link at either end."""
        for one, other, tier in self.cables:
            if one not in self.settled and one not in self.seen and other not in self.seen:
                yield one, other, tier

    def covered(self, one: Port, other: Port) -> bool:
        """False where the file could not show this cable: neither device reports its neighbours."""
        reporters = self.observed.reporters
        return reporters is None or bool({one.device, other.device} & reporters)

    def gaps(self) -> Iterator[Difference]:
        down = self.observed.down
        for one, other, tier in self.absent():
            if not self.covered(one, other):
                continue
            peers = (str(other), str(one))
            shut = [str(end) for end in (one, other) if end in down]
            if shut:
                yield Difference("down", (one, other), peers, tier, f"no link at {' and '.join(shut)}")
            else:
                unseen = [end.device for end in (one, other) if end.device not in self.observed.devices]
                detail = f"{' and '.join(unseen)} not seen at all" if unseen else "no link seen at either end"
                yield Difference("missing", (one, other), peers, tier, detail)

    def strays(self) -> Iterator[Difference]:
        tiers = {end: tier for one, other, tier in self.cables for end in (one, other)}
        for link in self.observed.links:
            ends = (link.one, link.other)
            if frozenset(ends) in self.used or self._of_another_network(link):
                continue
            open_ends = [end for end in ends if end in self.peer and end not in self.settled]
            wanted = tuple(str(self.peer[end]) if end in self.peer else None for end in ends)
            tier = tiers.get(link.one) or tiers.get(link.other) or ""
            if open_ends:
                detail = "; ".join(f"{end} should meet {self.peer[end]}" for end in open_ends)
                yield Difference("swapped", ends, wanted, tier, detail)
            else:
                yield Difference("extra", ends, wanted, tier, "no such cable is planned")

    def _of_another_network(self, link: Link) -> bool:
        """True where hosts report all their networks (LLDP) and neither end is a port of this fabric."""
        ends = (link.one, link.other)
        ours = any(end in self.peer or end.device in self.switches for end in ends)
        return self.observed.reporters is not None and not ours

    def slow(self, rate_gbps: float | None) -> Iterator[Difference]:
        usual = {
            tier: _usual([n for _, _, t, n in self.good if t == tier])
            for tier in {t for _, _, t, _ in self.good}
        }
        for one, other, tier, link in self.good:
            width, rate = usual[tier]
            least = max(rate or 0.0, rate_gbps or 0.0)
            if link.gbps is None or link.gbps >= least:
                continue
            narrow = width is not None and link.width is not None and link.width < width
            lanes = f"narrow: {link.width} of {width} lanes, " if narrow else ""
            yield Difference("slow", (one, other), (f"{least:g} Gb/s",), tier, f"{lanes}{link.gbps:g} Gb/s")


def _usual(links: list[Link]) -> tuple[int | None, float | None]:
    """Width and rate that most links of a tier have; between two equally frequent the faster."""
    rates = Counter((n.gbps, n.width) for n in links if n.gbps is not None and n.width is not None)
    if not rates:
        return None, None
    (rate, width), _ = max(rates.items(), key=lambda item: (item[1], item[0]))
    return width, rate


def verify(
    planned: Iterable[Cable],
    observed: Observed,
    *,
    extra_devices: Iterable[str] = (),
    rate_gbps: float | None = None,
) -> Verification:
    """Compares; ``rate_gbps`` is what each link must reach, beside what its tier usually has.

    Unproven where the file cannot show every planned cable, or hardly is of this cluster.
    """
    compared = _Comparison(planned, observed, frozenset(extra_devices))
    found = len(compared.good)
    differences = [*compared.strays(), *compared.gaps(), *compared.slow(rate_gbps)]
    rated = sum(link.gbps is not None for _, _, _, link in compared.good)
    hidden = sum(not compared.covered(one, other) for one, other, _ in compared.absent())
    verdict, reason = _judge(compared, differences, hidden, rated, rate_gbps)
    return Verification(verdict, reason, differences, len(compared.cables), found, rated)


def _judge(
    compared: _Comparison, differences: list[Difference], hidden: int, rated: int, rate_gbps: float | None
) -> tuple[Verdict, str]:
    planned, found, links = len(compared.cables), len(compared.good), len(compared.observed.links)
    if not compared.devices & compared.observed.devices:
        return (
            Verdict.UNPROVEN,
            "no device of the plan is in this file: it is another cluster's, or names differ",
        )
    if found < SAME_CLUSTER_FRACTION * (planned - hidden) or found < SAME_CLUSTER_FRACTION * links:
        share = f"{found} of {planned} planned cables are among {links} links"
        return Verdict.UNPROVEN, f"{share}: another cluster's file, or another plan?"
    ours, strangers = len(compared.nodes & compared.observed.devices), len(compared.strangers())
    if ours < SAME_CLUSTER_FRACTION * len(compared.nodes) and strangers > ours:
        # Plans name their switches alike: only the names of nodes differ between clusters.
        seen = f"{ours} of {len(compared.nodes)} planned nodes are in this file, and {strangers} others"
        return Verdict.UNPROVEN, f"{seen}: another cluster's file, or names differ"
    if differences:
        kinds = Counter(d.kind for d in differences)
        detail = ", ".join(
            f"{kinds[kind]} {kind}" for kind in ("missing", "extra", "swapped", "slow", "down") if kinds[kind]
        )
        return Verdict.FAIL, f"{detail}; {found} of {planned} cables are as planned"
    if hidden:
        return Verdict.UNPROVEN, f"{hidden} of {planned} cables run between devices that tell no neighbours"
    if rate_gbps is not None and rated < found:
        return Verdict.UNPROVEN, f"the file tells the rate of {rated} of {found} links"
    rates = f"{rated} show their rate, none below its tier's" if rated else "this file tells no rates"
    return Verdict.PASS, f"all {planned} cables are as planned; {rates}"
