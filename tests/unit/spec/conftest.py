"""A good spec to spoil."""

from __future__ import annotations

from typing import Any

import pytest


def good() -> dict[str, Any]:
    """The spec of the lab example, as plain data."""
    return {
        "version": 1,
        "name": "lab",
        "service": "cluster",
        "scheduler": "slurm",
        "platform": {"kind": "lab"},
        "pools": [{"name": "h100", "machine": "lab/rail8", "nodes": 4, "spares": 1}],
        "fabric": {"rails": 8, "node_gbps": 0.8},
        "filesystems": [
            {"name": "scratch", "mount": "/scratch", "offer": "lab/moosefs", "capacity_tib": 0.01}
        ],
        "software": {"release": "2026.11"},
    }


@pytest.fixture
def data() -> dict[str, Any]:
    return good()
