"""Persistence mode: the driver keeps the GPUs set up while nobody uses them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.gpus import hidden_by
from railbed.validate.node.probe import Finding, Probe

QUERY = ["nvidia-smi", "--query-gpu=index,persistence_mode", "--format=csv,noheader"]
ON = "Enabled"


def persistence(probe: Probe, _: dict[str, Any]) -> Finding:
    """Every GPU that answers is kept."""
    answer = probe.run(QUERY)
    rows = dict(re.findall(r"^(\d+), (Enabled|Disabled)\s*$", answer.out, re.M))
    if not rows:
        reason = f"blocked by {hidden_by(answer)}: nvidia-smi says {answer.first_line!r}"
        return Finding("unproven", reason, expected=ON)
    off = [index for index, mode in rows.items() if mode != ON]
    if off:
        reason = f"off on {', '.join(f'gpu {index}' for index in off)}"
        return Finding("fail", reason, f"{len(rows) - len(off)} of {len(rows)}", "", ON, ("persistence",))
    return Finding("pass", f"on for {len(rows)} GPUs", f"{len(rows)} of {len(rows)}", "", ON)


@pytest.mark.claim("node.persistence")
def test_persistence(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(persistence(probe, want))
