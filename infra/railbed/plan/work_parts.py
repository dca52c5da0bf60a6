"""What the plan works out for each workload of the spec."""

from __future__ import annotations

from typing import Literal

from railbed.claims import FrozenModel
from railbed.laws.longjob import LongJob
from railbed.laws.queueing import Queue
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


class PlannedFineTuning(FrozenModel):
    """One workload of many small jobs: how many run at once, how long they wait, how long their base model loads."""

    workload: int
    """Its place in the spec."""
    gpus: int
    """Of one job."""
    nodes_per_job: int
    slots: int
    """Jobs that run at once."""
    at_once: int
    """Jobs that are submitted at once: those of the spec, or those that its load has running."""
    running: int
    """Of those, jobs that start at once."""
    measured: int
    """Of those, jobs that a validation submits."""
    queue: Queue | None = None
    """At the spec's load; None: it says none."""
    filesystem: str
    base_model_gbytes: float
    load_one_s: float | None = None
    """Seconds in which one job alone reads the base model; None: nobody published the filesystem's rate."""
    load_all_s: float | None = None
    """Seconds in which all running jobs have read it."""
    load_measured_s: float | None = None
    """Seconds in which the measured jobs have read it."""
    first_step_s: float
    """Goal of the spec."""

    @property
    def reads(self) -> int:
        """Of the base model by the measured jobs: one on each node of a job."""
        return self.measured * self.nodes_per_job


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
