"""Whether the ports of a node's rails counted errors between two readings. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from railbed.claims import Verdict
from railbed.judge import counted
from railbed.judge.counted import Outcome
from railbed.parse.port_errors import Key
from railbed.text import few


@dataclass(frozen=True)
class Limit:
    """One counter."""

    most: int
    """Rise that is still healthy."""
    window_s: float = math.inf
    """In so many seconds; over a longer time as many times more."""
    largest: int = 0
    """Value at which the kernel's counter stops; 0: it does not in practice."""


LIMITS: Mapping[str, Limit] = {
    "link_downed": Limit(0, largest=255),
    "carrier_down_count": Limit(0),
    "link_error_recovery": Limit(5, window_s=60, largest=255),
    "symbol_error": Limit(120, window_s=3600, largest=65535),
    "local_link_integrity_errors": Limit(0, largest=15),
    "excessive_buffer_overrun_errors": Limit(0, largest=15),
}
"""Counter → limit. A link that goes down under load ends collectives or stalls them. The others are the limits of
NVIDIA/NVSentinel's NIC monitor: 120 symbol errors an hour, 5 recoveries a minute. Widths: Linux,
drivers/infiniband/core/sysfs.c, PORT_PMA_ATTR (8, 8, 16, 4 and 4 bit); such a counter stops at its largest value."""
RDMA = tuple(name for name in LIMITS if name != "carrier_down_count")
"""Those of RDMA ports."""
SHOWN = 4


def allowed(name: str, elapsed_s: float) -> float:
    """How far a counter may rise in so many seconds."""
    limit = LIMITS[name]
    return limit.most * max(1.0, elapsed_s / limit.window_s)


def judge(
    cards: Mapping[str, str], before: Mapping[Key, int], after: Mapping[Key, int], elapsed_s: float
) -> Outcome:
    """``cards``: RDMA device or interface → its rail, as ``rail 3``. ``elapsed_s``: between the readings.

    Unproven where a card has no counters, where one restarted, and where one stood still at its largest value.
    """
    rises = {key: rise for key, rise in counted.rises(before, after).items() if key[0] in cards}
    over = {key: rise for key, rise in rises.items() if rise > allowed(key[1], elapsed_s)}
    plain = {f"{device} {name}": rise for (device, name), rise in rises.items() if rise}
    if over:
        named = [
            f"{cards[device]} ({device}): {name} +{rise}" for (device, name), rise in sorted(over.items())
        ]
        parts = sorted({cards[device] for device, _ in over}, key=_number)
        return Outcome(Verdict.FAIL, few(named, SHOWN), parts, plain)
    restarted = [f"{device} {name}" for (device, name), rise in sorted(rises.items()) if rise < 0]
    if restarted:
        return Outcome(Verdict.UNPROVEN, f"counters restarted meanwhile: {few(restarted, SHOWN)}", [], plain)
    full = [
        f"{device} {name}" for device, name in sorted(rises) if _stopped(before[device, name], LIMITS[name])
    ]
    if full:
        reason = f"counters stand at their largest value and count no more: {few(full, SHOWN)}; boot the node, or clear them"
        return Outcome(Verdict.UNPROVEN, reason, [], plain)
    if missing := silent(cards, before, rises):
        return Outcome(Verdict.UNPROVEN, f"no counters of {few(missing, SHOWN)}", [], plain)
    return Outcome(
        Verdict.PASS, f"{len(cards)} ports counted no link down, and no errors beyond the limits", [], plain
    )


def silent(cards: Mapping[str, str], before: Mapping[Key, int], rises: Mapping[Key, int]) -> list[str]:
    """Rails with a card of which no counter was read, or not each that was read before the load."""
    heard = {device for device, _ in rises} - {
        device for device, name in before if (device, name) not in rises
    }
    return list(dict.fromkeys(rail for device, rail in cards.items() if device not in heard))


def _stopped(value: int, limit: Limit) -> bool:
    return bool(limit.largest) and value >= limit.largest


def _number(part: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, part))
    return int(digits or 0), part


def ports(cards: Sequence[tuple[str, str, int]]) -> dict[str, str]:
    """``(device, interface, rail)`` of each card → by what its port is counted, and the rail's name. A card without a name is
    there too, and is one of which nothing is read."""
    return {
        device or netdev or f"unnamed {at}": f"rail {rail}" for at, (device, netdev, rail) in enumerate(cards)
    }
