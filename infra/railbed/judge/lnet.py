"""Which network what a Lustre client moved took, from LNet's counters before and after. Pure.

One message of LNet carries at most ``LNET_MTU``, 1 MiB (lustre/lustre-release, lnet/include/uapi/linux/lnet/lnet-types.h): what
was moved took at least that many messages of its network, so fewer there prove that some of it went elsewhere. Recorded with FSx
over EFA: 1,000 MiB written are 1,000 messages sent and 2,000 received there, and 10 over TCP, where the management server is
asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from railbed.claims import Verdict

MESSAGE_BYTES = 1024 * 1024
LOCAL = "lo"


def messages(document: Mapping[str, Any]) -> dict[str, int | None]:
    """Network → messages sent and received since its interfaces came up; None where one reports no count."""
    found: dict[str, int | None] = {}
    for network in document["networks"]:
        if network["net"] == LOCAL:
            continue
        counts = [nid[key] for nid in network["nids"] for key in ("send_count", "recv_count")]
        known = [count for count in counts if count is not None]
        before = found.get(network["net"], 0)
        found[network["net"]] = None if before is None or len(known) < len(counts) else before + sum(known)
    return found


def judged(
    before: Mapping[str, Any], after: Mapping[str, Any], network: str, moved_bytes: int, address: str = ""
) -> tuple[Verdict, str, int | None]:
    """Verdict, reason, and messages of ``network`` while ``moved_bytes`` were written and read.

    ``address``: the one that the client must have there; empty: any.
    """
    was, has = messages(before), messages(after)
    if not has:
        return Verdict.UNPROVEN, "lnetctl names no network", None
    if network not in has:
        return Verdict.FAIL, f"LNet has no interface of {network}, only of {', '.join(sorted(has))}", None
    nids = [
        str(nid.get("nid", "")) for one in after["networks"] if one["net"] == network for nid in one["nids"]
    ]
    if address and f"{address}@{network}" not in nids:
        reason = f"LNet has {', '.join(nids) or 'no address'}, and not {address}@{network}, which was planned"
        return Verdict.FAIL, reason, None
    delta = {net: _delta(was.get(net, 0), count) for net, count in has.items()}
    own, least = delta[network], -(-moved_bytes // MESSAGE_BYTES)
    others = (
        ", ".join(f"{net} {count}" for net, count in sorted(delta.items()) if net != network)
        or "no other network"
    )
    if own is None:
        return Verdict.UNPROVEN, f"the counters of {network} are missing, or restarted", None
    if own < least:
        reason = (
            f"{own} messages over {network}, where {least} MiB need at least {least}; beside it: {others}"
        )
        return Verdict.FAIL, reason, own
    return Verdict.PASS, f"{own} messages over {network} for {least} MiB; beside it: {others}", own


def _delta(before: int | None, after: int | None) -> int | None:
    return after - before if before is not None and after is not None and after >= before else None
