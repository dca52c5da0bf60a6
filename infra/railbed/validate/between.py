"""The step that measures what lies between nodes beside single rails: latency, isolation, other rails, bisection, incast."""

from __future__ import annotations

from railbed.validate import crossing, incast, isolation, latency
from railbed.validate.validation_run import ValidationRun


def run(validation: ValidationRun) -> None:
    """Measures what is asked, the quiet first."""
    latency.run(validation)
    isolation.run(validation)
    crossing.run(validation)
    incast.run(validation)
