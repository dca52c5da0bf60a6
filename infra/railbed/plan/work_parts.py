"""What the plan works out for each workload of the spec."""

from __future__ import annotations

from typing import Literal

from railbed.claims import FrozenModel
from railbed.laws.longjob import LongJob
from railbed.laws.serving import Service
from railbed.laws.storage import StorageRates


class PlannedStorage(FrozenModel):
    """What one filesystem gives the compute nodes."""

    filesystem: str
    rates: StorageRates
    checkpoint_gbytes: float | None = None
    """Of the largest workload that writes checkpoints."""
    checkpoint_write_s: float | None = None
    checkpoint_restore_s: float | None = None


class PlannedJob(FrozenModel):
    """One pretraining workload."""

    workload: int
    """Its place in the spec."""
    kind: Literal["pretraining"]
    job: LongJob


class PlannedInference(FrozenModel):
    """One inference workload: its load, and what its replicas carry."""

    workload: int
    """Its place in the spec."""
    gpus: int
    service: Service
    stay_s: float | None = None
    """Seconds that a request may stay by both goals; None: a goal is missing."""
    concurrency: float | None = None
    """Requests in the service at a time, where each stays so long; None as above."""
    capacity_per_s: float | None = None
    """Requests a second that all replicas carry within the goals; None: the spec does not say what one holds."""
    replicas_left: int
    """Where the fullest nodes that may be lost are lost."""
    capacity_left_per_s: float | None = None
    """What those carry."""


class PlannedScience(FrozenModel):
    """One scientific workload: whole nodes, and what they may do in double precision."""

    workload: int
    """Its place in the spec."""
    gpus: int
    nodes: int
    idle_gpus: int
    """GPUs of its nodes that it asks for nothing of: its nodes are its own."""
    ranks: int
    """One a GPU."""
    peak_tflops: float | None = None
    """FP64 of its GPUs by their data sheet; None: nobody published it."""
    hpl_floor_tflops: float | None = None
    """What HPL must reach over its nodes; None: nobody published a rate."""
    hpl_n: int
    """Equations of that HPL."""
    hpl_s: float | None = None
    """Seconds that it takes at the floor."""
