"""What a workload of the kind `finetuning` says: many small jobs of tenants over one base model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from railbed.spec.model import SpecModel
from railbed.spec.scalars import Name


class SmallJobs(SpecModel):
    """How many jobs there are: submitted at once, or so many an hour of some length, or both."""

    at_once: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Jobs that are submitted at the same moment."""
    per_hour: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    """Jobs that arrive an hour, on average of a busy time."""
    hours: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] | None = None
    """Length of one job on average; goes with ``per_hour``."""


class BaseModelFiles(SpecModel):
    """The model that all jobs begin with."""

    gbytes: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
    """Size of its files, GB (1e9 bytes)."""
    filesystem: Name
    """Name of the filesystem that has them."""


class FineTuning(SpecModel):
    """Many small jobs, what they read, and how soon each must train."""

    jobs: SmallJobs
    """How many."""
    base_model: BaseModelFiles
    """What each reads before its first step."""
    first_step_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
    """Goal: seconds from the submission of a job to the end of its first step, where GPUs are free."""
