"""PCIe links of the GPUs and of the rails' cards."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.gpus import hidden_by
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Finding, Probe

FIELDS = "index,pcie.link.width.current,pcie.link.width.max"
QUERY = ["nvidia-smi", "--query-gpu=" + FIELDS, "--format=csv,noheader"]
ROW = re.compile(r"^(\d+), (\d+), (\d+)\s*$", re.M)
RDMA, NET = "/sys/class/infiniband", "/sys/class/net"
ENDS = ("current", "max", "../max")
"""The link as it is, and what the card and the port above it can."""
SPEED = re.compile(r"^([0-9.]+) GT/s")


def pcie(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU has all lanes of its link, every rail's card lanes and speed.

    The speed of a GPU's link says nothing: the driver lowers it while nobody uses the GPU. A virtual function of a card shows
    no link at all.
    """
    count, expected = int(want["gpus"]), "all lanes, and cards at full speed"
    answer = probe.run(QUERY)
    if answer.code in (NOT_FOUND, TIMED_OUT):
        return Finding("unproven", answer.first_line, expected=expected)
    gpus = {f"gpu {index}": (int(now), int(most)) for index, now, most in ROW.findall(answer.out)}
    narrow = {gpu: f"x{now} of x{most}" for gpu, (now, most) in gpus.items() if now < most}
    cards = [(f"rail {rail['index']}", _card(probe, rail)) for rail in want.get("rails") or []]
    narrow.update({rail: width for rail, width in cards if width})
    seen = len(gpus) + sum(width is not None for _, width in cards)
    if narrow:
        reason = "; ".join(f"{part}: {words}" for part, words in narrow.items())
        return Finding("fail", reason, seen - len(narrow), "links", expected, tuple(narrow))
    if len(gpus) < count:
        claim = hidden_by(answer, len(gpus))
        reason = f"blocked by {claim}: nvidia-smi names the links of {len(gpus)} of {count} GPUs"
        return Finding("unproven", f"{reason}: {answer.first_line!r}", seen, "links", expected)
    hidden = sum(width is None for _, width in cards)
    beside = f"; {hidden} cards show no link" if hidden else ""
    return Finding("pass", f"{seen} links are whole{beside}", seen, "links", expected)


def _card(probe: Probe, rail: dict[str, Any]) -> Optional[str]:
    """What a card's link lacks; empty where nothing, None where it shows none."""
    device, netdev = rail.get("device"), rail.get("netdev")
    folder = f"{RDMA}/{device}/device" if device else f"{NET}/{netdev}/device"
    # The slot's port may have less than the card by design.
    width, *widths = (_number(probe, f"{folder}/{name}_link_width", r"^(\d+)$") for name in ENDS)
    speed, *speeds = (_number(probe, f"{folder}/{name}_link_speed", SPEED.pattern) for name in ENDS)
    most, top = min(widths), min(speeds)
    if not width or not most or not speed or not top:
        return None
    lacking = [f"x{width:g} of x{most:g}"] if width < most else []
    lacking += [f"{speed:g} of {top:g} GT/s"] if speed < top else []
    return ", ".join(lacking)


def _number(probe: Probe, path: str, form: str) -> float:
    """0 where the file is not there, or has another form."""
    found = re.match(form, (probe.read(path) or "").strip())
    return float(found[1]) if found else 0.0


@pytest.mark.claim("node.pcie")
def test_pcie(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(pcie(probe, want))
