"""all_reduce inside a node over its cards alone: bound, and the operator's gate."""

from __future__ import annotations

import pytest

from railbed.catalog import load_machine
from railbed.laws import bandwidth, network_only


@pytest.mark.parametrize(
    ("key", "line"),
    [("azure/Standard_ND96isr_H100_v5", 50.0), ("azure/Standard_ND128isr_GB300_v6", 100.0)],
)
def test_a_gpu_has_its_share_of_the_cards(key: str, line: float) -> None:
    found = network_only.expect(bandwidth.of(load_machine(key)))
    assert found.bound == line and found.basis == "derived" and found.size_bytes == 8 << 30
    assert found.floor == pytest.approx(0.72 * line) and found.expected == pytest.approx(0.928 * line)


def test_what_healthy_nodes_were_seen_to_reach_lies_between_floor_and_bound() -> None:
    found = network_only.expect(bandwidth.of(load_machine("azure/Standard_ND96isr_H100_v5")))
    assert found.floor and found.bound and found.floor < 46.3965 < found.bound
