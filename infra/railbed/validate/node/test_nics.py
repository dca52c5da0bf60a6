"""The rails' network interfaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.nics import nics
from railbed.validate.node.probe import Finding, Probe


@pytest.mark.claim("node.nics")
def test_nics(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(nics(probe, want))
