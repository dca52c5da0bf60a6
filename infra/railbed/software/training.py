"""Which NCCL a PyTorch brings. Pure."""

from __future__ import annotations

NCCL = {"2.10.0": "2.27.5", "2.15.0": "2.30.7"}
"""torch → nvidia-nccl of its locked list (tools/training-requirements-VERSION.txt, made from PyPI's own metadata)."""


def nccl_of(torch: str) -> str:
    """NCCL's version for a torch, e.g. ``2.30.7`` for 2.15.0; empty where no list of that torch is known."""
    return NCCL.get(torch, "")
