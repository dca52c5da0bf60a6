"""The GPUs and their driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.gpus import driver, healthy
from railbed.validate.node.probe import Finding, Probe


@pytest.mark.claim("node.gpus")
def test_gpus(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(healthy(probe, want))


@pytest.mark.claim("node.driver")
def test_driver(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(driver(probe, want))
