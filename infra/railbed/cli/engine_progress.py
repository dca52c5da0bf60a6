"""The engine's events as one line per resource that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from railbed.cli import output

VERBS = {"create": "made", "update": "mended", "delete": "removed", "replace": "replaced",
         "create-replacement": "made anew", "delete-replaced": "removed"}  # fmt: skip


@contextmanager
def shown() -> Iterator[Callable[[Any], None]]:
    """Gives the event handler; shows the engine at work until the block ends or a later stage speaks."""

    def on_event(event: Any) -> None:
        if event.res_outputs_event is not None:
            step = event.res_outputs_event.metadata
            verb = VERBS.get(str(getattr(step.op, "value", step.op)))
            if verb and "pulumi:" not in step.type:
                line = f" {verb} {step.type.rsplit(':', 1)[-1].lower()} {step.urn.rsplit('::', 1)[-1]}"
                output.err.print(output.line(("·", "dim"), line))
        elif event.diagnostic_event is not None and event.diagnostic_event.severity in ("warning", "error"):
            output.err.print(event.diagnostic_event.message.rstrip())

    yield on_event
