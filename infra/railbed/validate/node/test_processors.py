"""The processors: at their clock, quick to wake, and not moving pages about under bound ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.probe import Finding, Probe
from railbed.validate.node.processors import inspect, wrong

PART = "processors"


def processors(probe: Probe, want: dict[str, Any]) -> Finding:
    """What the kernel offers is set. A guest whose host keeps clocks and idle states has nothing to set."""
    governor, latency_us, pages = (
        want["processors"][key] for key in ("governor", "idle_latency_us", "huge_pages")
    )
    expected = f"{governor}, idle states of at most {latency_us} µs, huge pages {pages}, NUMA balancing off"
    seen = inspect(probe.root or "/")
    measured = ", ".join(
        [
            *sorted(set(seen.governors.values())),
            *([f"{max(seen.deepest_us.values())} µs"] if seen.deepest_us else []),
        ]
    )
    bad = wrong(seen, governor, latency_us, pages)
    if bad:
        return Finding("fail", "; ".join(bad), measured or None, "", expected, (PART,))
    lacking = [
        name for name, there in (("clocks", seen.governors), ("idle states", seen.deepest_us)) if not there
    ]
    if lacking and want["bare_metal"]:
        reason = (
            f"the kernel shows no {' and no '.join(lacking)}: the firmware keeps them. "
            "A power profile that leaves them to the operating system shows them"
        )
        return Finding("unproven", reason, measured or None, "", expected)
    if seen.silent:
        reason = "does not apply: clocks and idle states are those of this virtual machine's host"
        return Finding("pass", reason, None, "", expected)
    kept = f"; its host keeps its {lacking[0]}" if lacking else ""
    return Finding(
        "pass",
        f"{len(seen.deepest_us) or len(seen.governors)} CPUs as they should be{kept}",
        measured,
        "",
        expected,
    )


@pytest.mark.claim("node.processors")
def test_processors(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(processors(probe, want))
