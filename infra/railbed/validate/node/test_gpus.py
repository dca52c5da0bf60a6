"""The GPUs and their driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.healthcheck import Finding, Probe, driver, gpus


@pytest.mark.claim("node.gpus")
def test_gpus(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(gpus(probe, want))


@pytest.mark.claim("node.driver")
def test_driver(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(driver(probe, want))
