"""RoCE's classes on the rails: what a card sorts otherwise than the leaf switches is dropped under load without an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import Answer, Finding, Probe


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


def lossless(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every rail has both classes, and pauses the data's alone."""
    roce = want["roce"]
    expected = (
        f"DSCP {roce['dscp']} to priority {roce['priority']}, which alone pauses; "
        f"DSCP {roce['cnp_dscp']} to {roce['cnp_priority']}"
    )
    rails = [one for one in want["rails"] if one["netdev"]]
    if not rails:
        return Finding("unproven", "nobody named the interfaces of the rails", expected=expected)
    wrong: dict[str, list[str]] = {}
    unread = []
    for rail in rails:
        sorts, pauses = (
            _list(probe.run(["dcb", "-j", kind, "show", "dev", rail["netdev"], what]), key)
            for kind, what, key in (("app", "dscp-prio", "dscp_prio"), ("pfc", "prio-pfc", "prio_pfc"))
        )
        if sorts is None or pauses is None:
            unread.append(rail["netdev"])
        elif bad := _wrong(rail, sorts, pauses, roce):
            wrong.setdefault(f"rail {rail['index']}", []).extend(bad)
    if wrong:
        reason = "; ".join(line for lines in wrong.values() for line in lines)
        return Finding("fail", reason, None, "", expected, tuple(wrong))
    if unread:
        return Finding("unproven", f"dcb does not tell the classes of {', '.join(unread)}", expected=expected)
    return Finding("pass", f"{len(rails)} interfaces have both classes", expected, "", expected)


@pytest.mark.claim("node.lossless")
def test_lossless(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(lossless(probe, want))
