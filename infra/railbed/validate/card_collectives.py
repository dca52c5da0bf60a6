"""The claim ``gpu.network_only``: all_reduce over the GPUs of each node by itself, where nothing but its cards carries it.

NCCL hides a slow way between a GPU and its card behind NVLink, where other GPUs' cards can take its part. Here none can: each
GPU sends by a card to its neighbour's (Azure/azurehpc-health-checks, check_nccl_allreduce_ib_loopback, has the same test).
"""

from __future__ import annotations

from railbed.validate.collective_programs import NETWORK_ONLY
from railbed.validate.node_collectives import Test, measure
from railbed.validate.validation_run import ValidationRun

CLAIM = "gpu.network_only"
TEST = Test(CLAIM, "all_reduce", NETWORK_ONLY, by_cards=True)


def run(validation: ValidationRun) -> None:
    """After the rails: over a rail that is known to carry nothing it would hang."""
    measure(validation, (TEST,), validation.dead_rails)
