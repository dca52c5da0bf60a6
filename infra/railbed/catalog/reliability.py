"""Published failure rates and long runs: what a plan of a long job rests on."""

from __future__ import annotations

from pydantic import Field

from railbed.catalog.facts import Published


class Reliability(Published):
    """Rates per 1000 node-days (a node: 8 GPUs), the times around a failure, and checkpoint sizes."""

    gpus_per_node: int = Field(ge=1)
    """GPUs of the nodes that the rates are counted in."""
    job_stops_low: float = Field(gt=0)
    """Failures that stop a job, per 1000 node-days."""
    job_stops_central: float = Field(gt=0)
    job_stops_high: float = Field(gt=0)
    node_removals_low: float = Field(gt=0)
    """Failures that take a node away until it is repaired, per 1000 node-days."""
    node_removals_central: float = Field(gt=0)
    node_removals_high: float = Field(gt=0)
    spare_probability: float = Field(gt=0, lt=1)
    """How sure a plan is that a spare is there."""
    return_days: float = Field(gt=0)
    """From taking a node out to having it back."""
    detection_s: float = Field(ge=0)
    """From a failure to the job's end."""
    restart_s: float = Field(ge=0)
    """From a job's end to its first step, without reading the checkpoint."""
    checkpoint_gbytes: dict[str, float]
    """Ranks (as text) → size of a training checkpoint, GB."""
    storage_read_gbytes_per_s: float = Field(gt=0)
    """What a plan without a filesystem assumes of ``storage_nodes`` nodes together."""
    storage_write_gbytes_per_s: float = Field(gt=0)
    storage_nodes: int = Field(ge=1)
    storage_node_read_gbytes_per_s: float = Field(gt=0)
    """Most that one node reads of it."""
    storage_node_write_gbytes_per_s: float = Field(gt=0)
