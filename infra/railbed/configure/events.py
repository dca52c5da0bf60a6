"""Ansible's events → what happened to each node, while it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from railbed.configure.results import NodeResult, NodeState
from railbed.configure.ssh_errors import reason, refused_root

CONTROLLER_ONLY = frozenset(
    {
        "assert", "debug", "fail", "set_fact", "meta", "include_role", "include_tasks", "import_role",
        "import_tasks", "include_vars", "validate_argument_spec", "add_host", "group_by", "pause",
    }
)  # fmt: skip
"""Actions that run no module on the node."""
MESSAGE_CHARACTERS = 600
END = "Every role ran"
"""The last task of a run, in playbooks/end.yml."""
STOPPED = "stopped with the others"
"""What is said of a node, in place of a task, that a failure on another one kept from the end."""


@dataclass(frozen=True)
class Event:
    """One thing that happened, for progress displays."""

    kind: str
    """``play``, ``task``, ``ok``, ``changed``, ``failed``, ``unreachable``, ``skipped``; ``note``: a message of no node."""
    node: str = ""
    task: str = ""
    message: str = ""
    result: NodeResult | None = None
    """The node's state after this event."""


OnEvent = Callable[[Event], None]


class Collector:
    """Sums up events; unknown ones are passed over."""

    def __init__(self, nodes: Iterable[str], on_event: OnEvent | None = None) -> None:
        self.nodes = {name: NodeResult() for name in nodes}
        self.task_seconds: dict[str, float] = {}
        self._slowest: dict[str, float] = {}
        """By Ansible's number of the task: plays have tasks of one title."""
        self.said: list[str] = []
        """Text outside of tasks: why Ansible did not even start."""
        self.finished = False
        self._ended: set[str] = set()
        self._hidden: dict[str, list[str]] = {}
        """By node the tasks whose results are hidden."""
        self._on_event = on_event or _unheard

    def take(self, event: dict[str, Any]) -> None:
        """One event of ansible-runner."""
        kind, data = str(event.get("event", "")), event.get("event_data") or {}
        if kind == "playbook_on_stats":
            self._stats(data)
        elif kind == "playbook_on_play_start":
            self._on_event(Event("play", task=str(data.get("play", ""))))
        elif kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
            self._on_event(Event("task", task=_title(data)))
        elif kind.startswith("runner_item_on_") and kind != "runner_item_on_skipped":
            self._item(data)
        elif kind.startswith("runner_on_") and data.get("host") in self.nodes:
            self._host(kind.removeprefix("runner_on_"), data)
        elif kind in ("error", "warning", "verbose", "system_warning") and event.get("stdout"):
            self.said.append(str(event["stdout"]))

    def _stats(self, data: dict[str, Any]) -> None:
        """The end. Only here are the changes of tasks counted whose results are hidden."""
        self.finished = True
        for name, count in (data.get("changed") or {}).items():
            if name in self.nodes:
                self._changed(name, int(count))
                if count and self.nodes[name].state == NodeState.OK:
                    self.nodes[name].state = NodeState.CHANGED
        self._stop()

    def _changed(self, name: str, count: int) -> None:
        """Of tasks that hide their results, Ansible counts the changes, and does not say which they were."""
        node, hidden = self.nodes[name], self._hidden.get(name, [])
        if count - node.changed == len(hidden):
            node.changes += hidden
        elif count > node.changed:
            node.changes += [f"{title} (or another task with secrets)" for title in hidden]
        node.changed = count

    def _stop(self) -> None:
        """Nodes that neither failed nor came to the end: Ansible sends nothing about them."""
        culprits = [(name, one) for name, one in self.nodes.items() if one.failed_task]
        # One that failed before one that is silent: what is not known of a node is not known of those that waited for it.
        culprits.sort(key=lambda pair: pair[1].state != NodeState.FAILED)
        state, why = NodeState.FAILED, "the run ended before it was done with it"
        for name, one in culprits[:1]:
            state, why = one.state, f"{one.failed_task} {one.state} on {name}"
        for name in self.nodes.keys() - self._ended:
            node = self.nodes[name]
            if node.state in (NodeState.OK, NodeState.CHANGED):
                node.state, node.failed_task, node.message = state, STOPPED, why

    def _item(self, data: dict[str, Any]) -> None:
        node = self.nodes.get(str(data.get("host")))
        if node is not None and _runs_module(data):
            node.modules += 1

    def _host(self, outcome: str, data: dict[str, Any]) -> None:
        name, result = str(data["host"]), data.get("res") or {}
        node, title = self.nodes[name], _title(data)
        if outcome not in ("ok", "failed", "unreachable", "skipped"):
            return
        if title == END:
            self._ended.add(name)
            return
        if outcome != "skipped":
            node.tasks += 1
            self._took(title, str(data.get("task_uuid") or title), float(data.get("duration") or 0.0))
            if "results" not in result and _runs_module(data):
                node.modules += 1
            if outcome == "ok" and result.get("lacking"):
                node.lacking.append(
                    f"{title}: {' '.join(str(result['lacking']).split())}"[:MESSAGE_CHARACTERS]
                )
            if outcome == "ok" and "censored" in result:
                self._hidden.setdefault(name, []).append(title)
        if outcome in ("failed", "unreachable") and not data.get("ignore_errors"):
            node.state = NodeState.FAILED if outcome == "failed" else NodeState.UNREACHABLE
            node.failed_task, node.message = title, _message(result, unreachable=outcome == "unreachable")
            node.half_done = node.half_done or bool(result.get("half_done"))
        elif outcome == "ok" and result.get("changed"):
            outcome, node.changed = "changed", node.changed + 1
            node.changes.append(title)
            if node.state == NodeState.OK:
                node.state = NodeState.CHANGED
        self._on_event(Event(outcome, node=name, task=title, message=node.message, result=node))

    def _took(self, title: str, number: str, seconds: float) -> None:
        before = self._slowest.get(number, 0.0)
        if seconds > before:
            self._slowest[number] = seconds
            self.task_seconds[title] = self.task_seconds.get(title, 0.0) + seconds - before


def _unheard(event: Event) -> None:
    """Where nobody wants to watch."""
    del event


def _title(data: dict[str, Any]) -> str:
    role, task = str(data.get("role") or ""), str(data.get("task") or "")
    return f"{role}: {task}" if role else task


def _runs_module(data: dict[str, Any]) -> bool:
    return str(data.get("task_action", "")).rsplit(".", 1)[-1] not in CONTROLLER_ONLY


def _message(result: dict[str, Any], *, unreachable: bool) -> str:
    """Why a task failed, on one line."""
    loops = [one for one in result.get("results") or [] if isinstance(one, dict) and one.get("failed")]
    words = [str(part.get("msg") or part.get("stderr") or "") for part in [result, *loops]]
    words += [str(result.get(key, "")) for key in ("stderr", "module_stderr") if result.get(key)]
    text = " ".join(" ".join(words).split())
    why = reason(text) if unreachable else refused_root(text)
    text = f"{why} ({text})" if why else text
    return text[:MESSAGE_CHARACTERS] or "no reason given"
