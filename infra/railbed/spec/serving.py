"""An inference service: its replicas, its load, its goals, and what it must survive."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from railbed.spec.model import SpecModel

MAX_TOKENS = 65_536
Milliseconds = Annotated[float, Field(gt=0, le=3_600_000, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]


class Serving(SpecModel):
    """A service of equal replicas. Goals are for 99 of 100 requests; what has no goal is not judged."""

    replicas: Annotated[int, Field(ge=1, le=65_536)]
    """Copies of the model that answer beside each other."""
    gpus_per_replica: Annotated[int, Field(ge=1, le=1024)]
    """GPUs of one copy, all in one node."""
    requests_per_s: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    """Requests a second of all users at the busiest time; this or ``concurrency``."""
    concurrency: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests in the service at a time, at the busiest; both latency goals turn it into a rate."""
    concurrency_per_replica: Annotated[int, Field(ge=1, le=256)] | None = None
    """Requests that one replica answers at once within the goals, as you measured with your model; without it the plan does not
    know what replicas carry."""
    input_length: Tokens
    """Tokens of a request (ISL)."""
    output_length: Tokens
    """Tokens of its answer (OSL)."""
    ttft_ms: Milliseconds | None = None
    """Goal: from a request to the first token of its answer, ms."""
    tpot_ms: Milliseconds | None = None
    """Goal: from one token to the next, ms, as the mean of an answer."""
    goodput_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    """Goal: share of the requests that are within both goals, e.g. 0.95."""
    lost_nodes: Annotated[int, Field(ge=0, le=65_536)] = 0
    """Nodes that may be lost at a time while it serves."""
