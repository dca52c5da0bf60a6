"""Live progress of a run: one line per node on a terminal, one line per change elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from railbed.configure.events import Event, OnEvent
from railbed.configure.results import NodeResult, NodeState

STYLES = {
    NodeState.OK: "green",
    NodeState.CHANGED: "yellow",
    NodeState.FAILED: "red",
    NodeState.UNREACHABLE: "red",
}
SHOWN_KINDS = ("changed", "failed", "unreachable")


class Board:
    """What is shown: per node its state, counts and the last task."""

    def __init__(self) -> None:
        self.play = ""
        self.rows: dict[str, tuple[NodeResult, str]] = {}

    def take(self, event: Event) -> None:
        """Takes one event in."""
        if event.kind == "play":
            self.play = event.task
        elif event.node and event.result is not None:
            self.rows[event.node] = (event.result, event.task)

    def table(self) -> Table:
        """The board as it stands."""
        table = Table(title=self.play, title_justify="left", box=None, pad_edge=False)
        for column in ("node", "state", "tasks", "changed", "last task"):
            table.add_column(
                column, justify="right" if column in ("tasks", "changed") else "left", no_wrap=True
            )
        for name, (result, task) in sorted(self.rows.items()):
            state = Text(str(result.state), STYLES[result.state])
            table.add_row(name, state, str(result.tasks), str(result.changed), result.message or task)
        return table


@contextmanager
def shown(console: Console) -> Iterator[OnEvent]:
    """Gives a callback for ``converge``; the display starts with the first event."""
    board, live = Board(), Live(console=console, refresh_per_second=4, transient=True)

    def on_event(event: Event) -> None:
        board.take(event)
        if event.kind == "note":
            console.print(event.message, soft_wrap=True)
            return
        if console.is_terminal:
            if not live.is_started:
                live.start()
            live.update(board.table())
        elif event.kind == "play":
            console.print(event.task)
        elif event.kind in SHOWN_KINDS:
            message = f": {event.message}" if event.message else ""
            console.print(f"  {event.node} {event.kind}: {event.task}{message}")

    try:
        yield on_event
    finally:
        if live.is_started:
            live.stop()
