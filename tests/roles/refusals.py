"""What roles refuse: many cases, each a play of one run of Ansible, since starting it is what costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.roles import local


@dataclass(frozen=True)
class Case:
    """A role that is told something, and words of what it answers; without words it must be content."""

    name: str
    role: str
    told: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    tasks: str = "install"


def ask(cases: Sequence[Case], folder: Path) -> dict[str, str]:
    """Name of each case → what its role refused it with, or nothing."""
    hosts = {f"case{number}": case for number, case in enumerate(cases)}
    said: dict[str, str] = {}

    def take(event: dict[str, Any]) -> bool:
        data = event.get("event_data") or {}
        if event.get("event") in ("runner_on_failed", "runner_on_ok") and data.get("host"):
            result = data.get("res") or {}
            parts = [result, *(one for one in result.get("results") or [] if one.get("failed"))]
            failed = event["event"] == "runner_on_failed"
            told = " ".join(str(part.get("msg", "")) for part in parts) if failed else ""
            name = hosts[data["host"]].name
            said[name] = said.get(name, "") + told
        return False

    local.play(folder, [_play(host, case) for host, case in hosts.items()], hosts, event_handler=take)
    return said


def _play(host: str, case: Case) -> dict[str, Any]:
    role = {"name": case.role, "tasks_from": case.tasks}
    # A play without hosts left would be the last one.
    go_on = {"name": "Go on", "ansible.builtin.meta": "clear_host_errors"}
    asked = {"block": [{"name": case.name, "ansible.builtin.include_role": role}], "rescue": [go_on]}
    return {"hosts": host, "gather_facts": False, "vars": case.told, "tasks": [asked]}
