"""The step that measures what lies between nodes beside single rails: latency, other rails, bisection, many into one."""

from __future__ import annotations

from railbed.validate import crossing, incast, latency
from railbed.validate.validation_run import ValidationRun


def run(validation: ValidationRun) -> None:
    """Measures what is asked, the quiet first."""
    latency.run(validation)
    crossing.run(validation)
    incast.run(validation)
