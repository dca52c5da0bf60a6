"""Which cards and GPUs are there, and where on the PCIe tree. The controller maps rails to them, and judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from railbed.validate.node.observe import observe
from railbed.validate.node.probe import Finding, Probe


@pytest.mark.claim("node.affinity")
def test_affinity(
    probe: Probe, judge: Callable[[Finding], None], show: Callable[[dict[str, Any]], None]
) -> None:
    show({"observed": observe(probe, driver=False)})
    judge(Finding("unproven", "nobody compared it with the contract"))
