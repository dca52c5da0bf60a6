"""RoCE's classes on the rails: what a card sorts otherwise than the leaf switches is dropped under load without an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import Answer, Finding, Probe

POINTS = {
    "roce_np": "sends no notices of congestion",
    "roce_rp": "does not slow down on notices of congestion",
}
"""Switches of NVIDIA's driver for each priority (DOCA 2.10, Explicit Congestion Notification). The kernel's own driver has none:
what the firmware does by default is on (DOCA 3.4, DCQCN CC Parameters)."""


def _list(answer: Answer, key: str) -> Optional[list[Any]]:
    """A list of dcb's JSON (iproute2, dcb(8)); None where it printed none."""
    try:
        found = json.loads(answer.out).get(key)
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, list) else None


def _wrong(rail: dict[str, Any], sorts: list[Any], pauses: list[Any], want: dict[str, Any]) -> list[str]:
    # In JSON dcb 6.1 adds a blank to each pair.
    has = {row[0]: row[1] for row in sorts if isinstance(row, list) and len(row) > 1}
    found = [
        f"{rail['netdev']} gives DSCP {dscp} priority {has.get(dscp, 'none')}, not {priority}"
        for dscp, priority in ((want["dscp"], want["priority"]), (want["cnp_dscp"], want["cnp_priority"]))
        if has.get(dscp) != priority
    ]
    on = [priority for priority, paused in enumerate(pauses) if paused is True]
    if on != [want["priority"]]:
        priorities = ", ".join(map(str, on)) or "none"
        found.append(f"{rail['netdev']} pauses priority {priorities}, not {want['priority']} alone")
    return found


def _congestion(probe: Probe, rail: dict[str, Any], want: dict[str, Any]) -> tuple[list[str], bool]:
    """What is wrong with the card's answer to marks of the switches, and whether the driver shows that it is on."""
    ecn = f"/sys/class/net/{rail['netdev']}/ecn"
    slot = probe.target(f"/sys/class/infiniband/{rail.get('device', '')}/device").rpartition("/")[2]
    dscp = probe.read(f"{ecn}/roce_np/cnp_dscp") or probe.read(
        f"/sys/kernel/debug/mlx5/{slot}/cc_params/np_cnp_dscp"
    )
    on = {point: probe.read(f"{ecn}/{point}/enable/{want['priority']}") for point in POINTS}
    found = [
        f"{rail['netdev']} {why} on priority {want['priority']}"
        for point, why in POINTS.items()
        if (on[point] or "1").strip() != "1"
    ]
    if dscp and dscp.strip() != str(want["cnp_dscp"]):
        found.append(
            f"{rail['netdev']} sends notices of congestion with DSCP {dscp.strip()}, not {want['cnp_dscp']}"
        )
    return found, all(on.values())


def lossless(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every rail has both classes, pauses the data's alone, and answers marks of the switches as far as its driver shows."""
    roce = want["roce"]
    expected = (
        f"DSCP {roce['dscp']} to priority {roce['priority']}, which alone pauses; "
        f"DSCP {roce['cnp_dscp']} to {roce['cnp_priority']}, for notices of congestion, which are sent and obeyed"
    )
    rails = [one for one in want["rails"] if one["netdev"]]
    if not rails:
        return Finding("unproven", "nobody named the interfaces of the rails", expected=expected)
    wrong: dict[str, list[str]] = {}
    unread, unshown = [], 0
    for rail in rails:
        sorts, pauses = (
            _list(probe.run(["dcb", "-j", kind, "show", "dev", rail["netdev"], what]), key)
            for kind, what, key in (("app", "dscp-prio", "dscp_prio"), ("pfc", "prio-pfc", "prio_pfc"))
        )
        bad, shown = _congestion(probe, rail, roce)
        unshown += not shown
        if sorts is None or pauses is None:
            unread.append(rail["netdev"])
        else:
            bad = _wrong(rail, sorts, pauses, roce) + bad
        if bad:
            wrong.setdefault(f"rail {rail['index']}", []).extend(bad)
    if wrong:
        reason = "; ".join(line for lines in wrong.values() for line in lines)
        return Finding("fail", reason, None, "", expected, tuple(wrong))
    if unread:
        return Finding("unproven", f"dcb does not tell the classes of {', '.join(unread)}", expected=expected)
    default_on = (
        f"; on {unshown} the driver shows no switch of congestion control, which firmware has on"
        if unshown
        else ""
    )
    return Finding("pass", f"{len(rails)} interfaces have both classes{default_on}", expected, "", expected)


@pytest.mark.claim("node.lossless")
def test_lossless(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(lossless(probe, want))
