"""One measurement with several ends: every end prepares, all start at one moment, none ends before the last is done.

SSH connections of many nodes come up seconds apart, so programs that are started by them do not measure together. Here each
node's probe prepares (servers listen) and reports; when all have, or the time for it is over, all start, and
servers serve until every end has finished.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.defaults import RENDEZVOUS_READY_S, RENDEZVOUS_STOP_S
from railbed.effects import node_json
from railbed.run import Result

T = TypeVar("T")

BOOTSTRAP = "import sys; exec(compile(sys.stdin.buffer.read({size}).decode(), {name!r}, 'exec'), {{'__name__': '__main__'}})"
"""Runs a script that comes first on standard input, and leaves the rest of the input to it."""


class Line(Protocol):
    """An open session with one end; ``railbed.run.Session`` is one."""

    def send(self, data: bytes) -> bool: ...
    def receive(self, timeout_s: float) -> str | None: ...
    def close(self) -> Result: ...


class Problem(node_json.Reply):
    """A server that does not serve."""

    address: node_json.Words
    problem: node_json.Words


class Counted(node_json.Reply):
    """What the interfaces of a rail counted, bytes."""

    carrier: bool
    tx: node_json.Whole
    rx: node_json.Whole


class FlowRun(node_json.Reply):
    """One client's run; times count from the start order, seconds."""

    id: node_json.Words
    code: int
    output: str
    began_s: float
    ended_s: float


class Ready(node_json.Reply):
    """An end has prepared; ``idle`` is what its rails counted in ``idle_s`` seconds before anything was started."""

    ready: bool
    problems: list[Problem]
    idle: dict[str, Counted] = Field(default_factory=dict)
    idle_s: float = Field(default=0.0, ge=0)


class Started(node_json.Reply):
    started: bool


class Measured(node_json.Reply):
    """All clients of an end have finished."""

    flows: list[FlowRun]
    rails: dict[str, Counted]


class Stopped(node_json.Reply):
    stopped: bool
    problems: list[Problem]


READY, STARTED = TypeAdapter(Ready), TypeAdapter(Started)
MEASURED, STOPPED = TypeAdapter(Measured), TypeAdapter(Stopped)


@dataclass
class End:
    """What one end answered; ``error`` says in words why it did not."""

    error: str = ""
    ready: Ready | None = None
    measured: Measured | None = None
    problems: list[Problem] = field(default_factory=list)
    """Of its servers, before the start and at the end."""
    spread_s: float = 0.0
    """How much later than the first end this one can have started: from the first order sent to its answer."""


def plain(end: End) -> dict[str, Any]:
    """The end as JSON data, for the evidence."""
    answers = {
        name: one.model_dump(mode="json")
        for name, one in (("ready", end.ready), ("measured", end.measured))
        if one
    }
    problems = [one.model_dump(mode="json") for one in end.problems]
    return {"error": end.error, "spread_s": end.spread_s, "problems": problems, **answers}


def argv(script: str, name: str) -> list[str]:
    """The command that a node runs: it takes ``script`` from its standard input."""
    return ["python3", "-c", BOOTSTRAP.format(size=len(script.encode()), name=name)]


def meet(
    open_line: Callable[[str], Line], script: str, plans: Mapping[str, dict[str, Any]], work_s: float
) -> dict[str, End]:
    """Runs ``script`` on every node of ``plans`` (its plan, by node) as one measurement that takes up to ``work_s``.

    An end that cannot be reached, does not prepare, or ends early, has an ``error`` and no result; the others go on
    without it. Returns one End per node.
    """
    ends = {node: End() for node in plans}
    lines: dict[str, Line] = {}
    limit_s = RENDEZVOUS_READY_S + work_s + RENDEZVOUS_STOP_S

    def each(work: Callable[[str], None], nodes: list[str]) -> None:
        with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
            list(pool.map(work, nodes))

    def prepare(node: str) -> None:
        line = lines[node] = open_line(node)
        line.send(script.encode() + _line({**plans[node], "limit_s": limit_s}))
        answer = _answer(line, READY, node, RENDEZVOUS_READY_S)
        if isinstance(answer, str):
            ends[node].error = f"{node} did not prepare: {answer}"
        else:
            ends[node].ready, ends[node].problems = answer, list(answer.problems)

    def present() -> list[str]:
        return [node for node, end in ends.items() if not end.error]

    def work(node: str) -> None:
        answer: Started | Measured | str = _answer(lines[node], STARTED, node, work_s)
        if not isinstance(answer, str):
            ends[node].spread_s = time.monotonic() - began
            answer = _answer(lines[node], MEASURED, node, work_s)
        if isinstance(answer, Measured):
            ends[node].measured = answer
        else:
            ends[node].error = f"{node} gave no result: {answer}"

    def stop(node: str) -> None:
        lines[node].send(_line({"stop": True}))
        answer = _answer(lines[node], STOPPED, node, RENDEZVOUS_STOP_S)
        if isinstance(answer, str):
            answer = Stopped(stopped=False, problems=[Problem(address="", problem=answer)])
        ends[node].problems += answer.problems

    try:
        each(prepare, list(plans))
        order = _line({"go": True, "absent": [node for node, end in ends.items() if end.error]})
        began = time.monotonic()
        for node in present():
            lines[node].send(order)
        each(work, present())
        each(stop, present())
    finally:
        each(lambda node: _close(lines[node]), list(lines))
    return ends


def _close(line: Line) -> None:
    line.close()


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _answer(line: Line, kind: TypeAdapter[T], node: str, timeout_s: float) -> T | str:
    """The next document, where it is the one that is due; else why there is none, and the session is closed."""
    text = line.receive(timeout_s)
    if text is None:
        return _last_words(line, node) or f"it did not answer within {timeout_s:g} s"
    try:
        return node_json.read(text, kind, node)
    except node_json.Unreadable as wrong:
        line.close()
        return wrong.message


def _last_words(line: Line, node: str) -> str:
    """Why an end stopped answering: what its last words mean, or the last of them."""
    result = line.close()
    said = result.tail()
    return ended.meaning("the probe", result.returncode, said, node) or (said.splitlines() or [""])[-1]
