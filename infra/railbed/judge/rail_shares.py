"""What the port counters of RDMA rails show after a collective of NCCL's (``fabric.transport``). Pure.

How many bytes NCCL sends over each rail is its own choice of rings and trees, so that no exact share can be wanted. What
holds whatever it chooses: so many bytes must leave a node, all of its rails are used, and the management network is not.
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed.claims import Judged, Verdict
from railbed.defaults import MANAGEMENT_SHARE, RAIL_SHARE_DOUBTFUL, RAIL_SHARE_UNUSED
from railbed.judge.transport import CLAIM, NodeBytes, payload_per_node
from railbed.text import few

LEAST_OF_MEAN = 0.5


def least_per_node(
    collective: str, size_bytes: int, nodes: int, domains: int, runs: int, *, in_network_reduction: bool
) -> float:
    """Bytes that a node must send, and receive, on average, whatever the algorithm; 0 within one NVLink domain.

    Where switches reduce, an all_reduce sends its data once (NVIDIA/nccl-tests, doc/PERFORMANCE.md).
    """
    if domains < 2:
        return 0.0
    of_domain = float(size_bytes) * runs
    if collective != "all_reduce" or not in_network_reduction:
        of_domain = payload_per_node(collective, size_bytes, domains, runs)
    return of_domain * domains / nodes


def judge(counters: Sequence[NodeBytes], least_bytes: float, rails: int) -> Judged:
    """Fail: a rail that carried next to nothing. Unproven: too few bytes in all, a rail with less than half of its siblings'
    mean, or a management network that was busy beside whole rails."""
    unused, doubts, guilty, lowest = [], [], set(), 1.0
    for node in counters:
        for direction, counted in (("sent", node.sent), ("received", node.received)):
            total = sum(counted.values())
            if len(counted) < rails:
                doubts.append(f"{node.node} counts on {len(counted)} of {rails} rails")
                continue
            # The bound is a mean over nodes: a tree gives some of them less.
            if total < least_bytes * LEAST_OF_MEAN:
                doubts.append(
                    f"{node.node} {direction} {total} B over its rails, and nodes had to move {least_bytes:.0f} B"
                )
                continue
            for rail in range(rails):
                share = counted.get(rail, 0) * rails / total if total else 0.0
                lowest = min(lowest, share)
                finding = f"{node.node} rail {rail} {direction} {share:.0%} of an equal share"
                if share < RAIL_SHARE_UNUSED:
                    unused.append(finding)
                    guilty.add((node.node, f"rail {rail}"))
                elif share < RAIL_SHARE_DOUBTFUL:
                    doubts.append(finding)
        if node.management > 2 * least_bytes * MANAGEMENT_SHARE:
            doubts.append(f"{node.node} moved {node.management} B over the management network")
    if not counters or least_bytes <= 0:
        why = (
            "no counters"
            if not counters
            else "NVLink joins these nodes, so that nothing has to cross their rails"
        )
        verdict, findings = Verdict.UNPROVEN, [why]
    elif unused:
        verdict, findings = Verdict.FAIL, unused + doubts
    else:
        verdict, findings = (Verdict.UNPROVEN if doubts else Verdict.PASS), doubts
    return Judged(
        claim=CLAIM, node="", verdict=verdict, measured=lowest if counters else None, unit="of an equal share", expected=1.0,
        floor=RAIL_SHARE_DOUBTFUL, basis="derived",
        derivation=[
            f"at least {least_bytes:.0f} B leave and enter each node, over {rails} rails",
            f"a rail below {RAIL_SHARE_UNUSED:g} of an equal share is not used, below {RAIL_SHARE_DOUBTFUL:g} it is doubtful",
            f"management at most {MANAGEMENT_SHARE:.0%}",
        ],
        reason=few(findings, 8, "; ") or f"every rail carried {lowest:.0%} of an equal share or more; management idle",
        detail={
            "guilty": sorted(list(pair) for pair in guilty),
            "nodes": [node.model_dump(mode="json") for node in counters],
        },
    )  # fmt: skip
