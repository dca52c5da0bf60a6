"""What a collective's result proves about rails: never more than the bytes that must have crossed them."""

from __future__ import annotations

import math

from railbed.claims import FrozenModel, Judged, Verdict
from railbed.defaults import BOUND_TOLERANCE
from railbed.laws import ranks
from railbed.laws.machine import BandwidthMachine, group

RINGED = ("all_reduce", "all_gather", "reduce_scatter")


class Case(FrozenModel):
    """What was to be run, and the machine facts that its result is compared with."""

    collective: str
    nodes: int
    ranks: int
    domains: int
    """NVLink domains; as many as nodes where a node is a domain."""
    rails: int
    """Of one node."""
    rail_gbytes_per_s: float
    """Line rate of one rail."""
    in_network_reduction: bool = False
    """True where the switches may have reduced: then fewer bytes than otherwise must leave a node."""
    algorithm: str | None = None
    largest_domain_ranks: int | None = None
    """Where domains are not all of one size; None: they are."""

    @property
    def claim(self) -> str:
        """The claim that it answers."""
        return f"collective.{self.collective}@{self.nodes}"


def case_of(machine: BandwidthMachine, nodes: int, collective: str, algorithm: str | None = None) -> Case:
    """The case of ``collective`` over ``nodes`` of ``machine``. Raises UsageError for impossible counts."""
    g = group(machine, nodes)
    return Case(
        collective=collective,
        nodes=nodes,
        ranks=g.ranks,
        domains=g.domains,
        rails=machine.rails,
        rail_gbytes_per_s=machine.rail_gbytes_per_s,
        in_network_reduction=machine.in_network_reduction,
        algorithm=algorithm,
        largest_domain_ranks=None
        if g.largest_domain_ranks * g.domains == g.ranks
        else g.largest_domain_ranks,
    )


def _leaving_alltoall(case: Case) -> float:
    """Share of one rank's data that leaves its domain, on average, where full domains come first."""
    n, k = case.ranks, case.domains
    full = case.largest_domain_ranks or n // k
    sizes = [full] * (k - 1) + [n - full * (k - 1)]
    return sum(r * (n - r) for r in sizes) / n**2


def least_network_gbytes_per_s(case: Case, busbw_gbytes_per_s: float) -> float:
    """What a node must have moved over its rails, one direction, for this bus bandwidth. A lower bound.

    It is the mean over nodes, and of every node where the library treats them alike, as rings do; trees of all_reduce
    give some nodes up to a half more and others less. By
    the bytes that must cross a domain's border whatever the algorithm: all_reduce S where switches reduce and
    2(k-1)/k·S else, all_gather and reduce_scatter (k-1)/k·S, alltoall (n-r)/n·S for each of the r ranks, broadcast
    and reduce S. A flat ring, where it is known to have run, moves exactly the bus bandwidth.
    """
    k, n = case.domains, case.ranks
    scale = ranks.factor(case.collective, n)
    if k < 2 or not scale:
        return 0.0
    algbw = busbw_gbytes_per_s / scale
    if case.collective in RINGED and (case.algorithm or "").lower() == "ring":
        per_domain = busbw_gbytes_per_s
    elif case.collective == "alltoall":
        per_domain = n / k * algbw * _leaving_alltoall(case)
    elif case.collective == "all_reduce":
        per_domain = algbw if case.in_network_reduction else algbw * 2 * (k - 1) / k
    elif case.collective in ("all_gather", "reduce_scatter"):
        per_domain = algbw * (k - 1) / k
    else:
        per_domain = algbw
    return per_domain * k / case.nodes


def rails_proven(case: Case, busbw_gbytes_per_s: float) -> int:
    """At least so many of a node's rails carried data.

    A shaper's burst can lift a rail a little above its line, so a rail is credited with that much.
    """
    needed = least_network_gbytes_per_s(case, busbw_gbytes_per_s)
    most_per_rail = case.rail_gbytes_per_s * (1 + BOUND_TOLERANCE)
    return min(case.rails, math.ceil(needed / most_per_rail - 1e-9))


def all_rails(case: Case, proven: int, simulated: bool) -> Judged:
    """``fabric.all_rails`` by what a collective proves. It never proves the rate of any single rail."""
    enough = proven >= case.rails
    reason = f"at least {proven} of {case.rails} rails carried data"
    if not enough:
        reason += "; measure each rail by itself to prove the others"
    return Judged(
        claim="fabric.all_rails",
        node="",
        verdict=Verdict.PASS if enough else Verdict.UNPROVEN,
        measured=proven,
        unit="rails",
        expected=case.rails,
        floor=case.rails,
        basis="derived",
        derivation=["bytes that must leave a node, whatever the algorithm, over the line rate of a rail"],
        reason=reason,
        simulated=simulated,
    )
