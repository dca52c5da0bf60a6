"""The clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.clock import clock
from railbed.validate.node.probe import Finding, Probe


@pytest.mark.claim("node.time")
def test_clock(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(clock(probe, want))
