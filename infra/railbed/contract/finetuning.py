"""What a validation needs to know of the small jobs that fine-tune one base model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import scalars


class FineTuning(FrozenModel):
    """The jobs that are submitted at once, and what each reads."""

    gpus: Annotated[int, Field(ge=1)]
    """Of one job."""
    jobs: Annotated[int, Field(ge=1, le=1024)]
    """Submitted at once."""
    filesystem: scalars.Name
    """Name of the one that has the base model."""
    model_bytes: Annotated[int, Field(ge=1)]
    load_s: Annotated[float, Field(gt=0)] | None = None
    """In which all have read it, by the planned rate; None where nobody published it."""
