"""What every rail's byte counter must show after a collective, and whether it does (``fabric.transport``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from railbed.claims import FrozenModel, Judged, Verdict
from railbed.defaults import COUNTER_TOLERANCE, MANAGEMENT_SHARE
from railbed.errors import UsageError
from railbed.text import few

CLAIM = "fabric.transport"


class NodeBytes(FrozenModel):
    """One node's counters over the timed part of one collective, bytes as the interfaces count them."""

    node: str
    sent: dict[int, int]
    """Rail → bytes sent."""
    received: dict[int, int]
    management: int
    """Bytes sent and received on the management interface."""


def node_bytes(counters: Mapping[str, Any], interfaces: Mapping[str, int]) -> NodeBytes | None:
    """One node's counters around a collective; ``interfaces`` says which rail each of their names is.

    None where the document lacks what it should have.
    """
    rails, management = counters.get("rails"), counters.get("management")
    if not isinstance(rails, Mapping) or not isinstance(management, Mapping):
        return None
    try:
        known = {interfaces[name]: moved for name, moved in rails.items() if name in interfaces}
        return NodeBytes(
            node=str(counters["node"]),
            sent={rail: int(moved["tx"]) for rail, moved in known.items()},
            received={rail: int(moved["rx"]) for rail, moved in known.items()},
            management=int(management["tx"]) + int(management["rx"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def payload_per_node(collective: str, size_bytes: int, nodes: int, iterations: int = 1) -> float:
    """Payload bytes that every node must send (and receive); one rank per node, bandwidth-optimal.

    all_reduce as a ring 2(k-1)/k·S; all_gather, reduce_scatter and alltoall (k-1)/k·S, S being the size that
    nccl-tests print. Raises UsageError for another collective and below two nodes.
    """
    if nodes < 2:
        raise UsageError("a collective needs two nodes", found=nodes, allowed="2 or more")
    share = (nodes - 1) / nodes
    shares = {"all_reduce": 2 * share, "all_gather": share, "reduce_scatter": share, "alltoall": share}
    if collective not in shares:
        raise UsageError("no byte count for this collective", found=collective, allowed=list(shares))
    return shares[collective] * size_bytes * iterations


def counted_per_rail(payload_bytes: float, rails: int, payload_fraction: float) -> float:
    """What a rail's counter shows for its share of ``payload_bytes``: the headers come on top."""
    return payload_bytes / rails / payload_fraction


def judge(
    counters: Sequence[NodeBytes],
    payload_bytes: float,
    rails: int,
    payload_fraction: float,
    *,
    simulated: bool = False,
) -> Judged:
    """``fabric.transport``: each rail of each node carried its share, the management network next to nothing.

    ``payload_bytes`` is what each node must send and receive in all. Pass within COUNTER_TOLERANCE of the
    computed bytes, headers counted; management at most MANAGEMENT_SHARE of it. Where the rails carried every byte and
    the management network was busy all the same, those bytes were another program's: unproven.
    """
    want = counted_per_rail(payload_bytes, rails, payload_fraction)
    worst, deviations, guilty, beside = 0.0, [], set(), []
    for node in counters:
        for direction, counted in (("sent", node.sent), ("received", node.received)):
            for rail in range(rails):
                off = counted.get(rail, 0) / want - 1 if want else 0.0
                worst = max(worst, abs(off))
                if abs(off) > COUNTER_TOLERANCE:
                    deviations.append(f"{node.node} rail {rail} {direction} {off:+.1%}")
                    guilty.add((node.node, f"rail {rail}"))
        share = node.management / (2 * payload_bytes) if payload_bytes else 0.0
        if share > MANAGEMENT_SHARE:
            beside.append(f"{node.node} moved {share:.1%} over the management network")
    verdict = Verdict.PASS
    if not counters or payload_bytes <= 0:
        verdict, deviations = Verdict.UNPROVEN, ["no counters"]
    elif deviations:
        verdict, deviations = Verdict.FAIL, deviations + beside
    elif beside:
        verdict, deviations = (
            Verdict.UNPROVEN,
            [*beside, "yet every rail carried its share: another program's bytes"],
        )
    reason = few(deviations, 8, "; ")
    return Judged(
        claim=CLAIM,
        node="",
        verdict=verdict,
        measured=worst if counters else None,
        unit="fraction off",
        expected=0.0,
        basis="derived",
        derivation=[
            f"{payload_bytes:.0f} B per node over {rails} rails, payload {payload_fraction:g} of the wire",
            f"so {want:.0f} B per rail and direction, within {COUNTER_TOLERANCE:.0%}",
            f"management at most {MANAGEMENT_SHARE:.0%}",
        ],
        reason=reason or f"every rail within {worst:.2%} of its share; management idle",
        simulated=simulated,
        detail={
            "guilty": sorted(list(pair) for pair in guilty),
            "nodes": [_plain(node) for node in counters],
            "bytes_per_rail": want,
        },
    )


def _plain(node: NodeBytes) -> Mapping[str, object]:
    return node.model_dump(mode="json")
