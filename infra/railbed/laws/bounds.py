"""The most that a collective's bus bandwidth can be, stage by stage, each with its formula.

Signs: k NVLink domains touched, n ranks, r ranks of the smallest domain, W network GB/s of that domain, B = W/r of one
rank, L NVLink GB/s of one GPU in one direction. Bounds count bytes that must move, whatever a library does; they use line
rates. Bus bandwidth is that of nccl-tests (NVIDIA/nccl-tests doc/PERFORMANCE.md).
"""

from __future__ import annotations

from railbed.laws.machine import BandwidthMachine, Group

Bound = tuple[float, str]
"""GB/s of bus bandwidth, and the formula."""
GATHERS = ("all_gather", "reduce_scatter")
ONE_WAY = ("broadcast", "reduce")


def network(machine: BandwidthMachine, g: Group, collective: str) -> dict[str, Bound]:
    """Per algorithm: the most that the network between domains allows. Needs two domains or more.

    The whole rest's data must enter the smallest domain: so (n-r)/n of the result cross its border, whatever runs.
    """
    k, n, w, r = g.domains, g.ranks, g.domain_gbytes_per_s, g.ranks_per_domain
    b = w / r
    if collective == "alltoall":
        return {"ring": (b * (n - 1) / (n - r), f"B(n-1)/(n-r) with B = {b:g}, n = {n}, r = {r}")}
    bounds = {"ring": (w, f"flat rings: W = {w:g}")}
    if collective in ONE_WAY:
        return bounds
    formula = f"ring per rail: B(n-1)/(k-1) with B = {b:g}, n = {n}, k = {k}"
    if n != r * k:
        formula = f"ring per rail: W(n-1)/(n-r) with W = {w:g}, n = {n}, r = {r}, domains of unequal size"
    bounds["hierarchical"] = (w * (n - 1) / (n - r), formula)
    if collective == "all_reduce":
        tree = bounds["tree"] = _trees(g, w, b)
        if machine.nvls or machine.network_only:
            bounds["nvlstree"] = tree
        if machine.in_network_reduction:
            reduced = 2 * w * (n - 1) / n, f"reduced in the switches: 2W(n-1)/n with W = {w:g}, n = {n}"
            bounds["collnet"] = reduced
            if machine.nvls or machine.network_only:
                bounds["nvls"] = reduced
    return bounds


TREE_LOAD = {2: 1.0, 3: 1.5}
"""Messages that the busiest of k domains sends in a double binary tree; 2 from k = 4 on."""


def _trees(g: Group, w: float, b: float) -> Bound:
    """all_reduce over two binary trees, half of the message each (Sanders, Speck, Träff 2009; NCCL's trees.cc).

    A domain sends half a message for each neighbour that it has in either tree: to its parent going up, to its
    children going down. With two domains everyone has one neighbour in each tree. With three both trees are paths: two
    domains are inside one path and at an end of the other, 2 + 1 halves. From four on some domain has a parent and two
    children in one tree and is a leaf of the other, 3 + 1 halves. Domains of unequal size may stand where they suit:
    what holds then is the sum, 2(k-1) messages over all domains' network.
    """
    k, n = g.domains, g.ranks
    if k > 2 and not g.even:
        derivation = f"trees, domains of unequal size: B(n-1)/(k-1) with B = {b:g}, n = {n}, k = {k}"
        return b * (n - 1) / (k - 1), derivation
    times = 2 / TREE_LOAD.get(k, 2.0)
    sign = {2: "2", 3: "4/3 "}.get(k, "")
    return times * w * (n - 1) / n, f"tree: {sign}W(n-1)/n with W = {w:g}, n = {n}"


def of_nccl(machine: BandwidthMachine, g: Group, collective: str) -> Bound | None:
    """The most that NCCL's own algorithms can reach between domains whose switches do not reduce; None where another bound holds.

    NCCL has no ring per rail: all_gather and reduce_scatter run as flat rings, all_reduce as flat rings or trees. Over more than
    two nodes it rates trees below rings for large messages: 0.9 of their bus bandwidth (NVIDIA/nccl, src/graph/tuning.cc).
    """
    if machine.network_only or g.domains == 1 or collective not in (*GATHERS, "all_reduce"):
        return None
    known = network(machine, g, collective)
    return known["tree" if collective == "all_reduce" and g.domains == 2 else "ring"]


def in_domain(machine: BandwidthMachine, g: Group, collective: str, algorithm: str) -> Bound | None:
    """The most that the stage inside a domain allows; None where there is none, or nobody knows it.

    Published peaks come first; where there is none the line rate of NVLink counts the bytes.
    """
    if g.ranks_per_domain == 1 or machine.network_only:
        return None
    n, r, line = g.ranks, g.ranks_per_domain, machine.nvlink_gbytes_per_s
    if collective == "alltoall":
        return None if line is None else (line * (n - 1) / (r - 1), f"NVLink: L(n-1)/(r-1) with L = {line:g}")
    if collective in GATHERS and algorithm != "ring":
        if line is None:
            return None
        # What enters one GPU: over NVLink, and over PCIe from its own NIC and, at most as much again, from others'.
        nics = 2 * g.domain_gbytes_per_s / r if g.domains > 1 else 0.0
        return line + nics, f"what enters one GPU: NVLink {line:g}" + (f" and PCIe {nics:g}" if nics else "")
    if algorithm == "ring" or collective in ONE_WAY:
        ring = machine.ring_busbw_cap_gbytes_per_s or line
        return None if ring is None else (ring, f"rings inside a domain: {ring:g}")
    return _reduced(machine, g)


def _reduced(machine: BandwidthMachine, g: Group) -> Bound | None:
    """all_reduce whose stage inside a domain is not a ring."""
    n, r, line = g.ranks, g.ranks_per_domain, machine.nvlink_gbytes_per_s
    across = 2 * (n - 1) / n
    if machine.nvls_busbw_cap_gbytes_per_s is not None:
        busbw = machine.nvls_busbw_cap_gbytes_per_s
        if g.domains == 1:
            return busbw, f"in-switch reduction inside a domain: {busbw:g}"
        algbw = busbw * r / (2 * (r - 1))
        return algbw * across, f"in-switch reduction inside a domain: algorithm bandwidth {algbw:.4g}"
    if line is None:
        return None
    if machine.nvls:
        algbw = line * r / (r + 1)
        derivation = f"in-switch reduction, by its bytes: algorithm bandwidth L·r/(r+1) = {algbw:.4g} with L = {line:g}, r = {r}"
        return algbw * across, derivation
    ring = machine.ring_busbw_cap_gbytes_per_s or line
    algbw = ring * r / (2 * (r - 1))
    return algbw * across, f"reduce_scatter and all_gather inside a domain: algorithm bandwidth {algbw:.4g}"
