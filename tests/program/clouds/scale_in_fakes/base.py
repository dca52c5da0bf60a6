"""What the fakes have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from railbed.platforms.cloud.tags import tags

BUSY, DENIED = "busy", "denied"
"""What ``refuse`` holds: the provider asks to come again, or says no."""
SAID = "you are not allowed to do this"


@dataclass
class Held:
    """A group of the fake."""

    labels: dict[str, str]
    size: int
    members: list[str]
    order: int = 0


@dataclass
class Fake:
    """What all of them keep."""

    plan: Any
    groups: dict[str, Held] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)
    """Instances that live and are in no group."""
    ended: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)

    def add(self, stack_name: str, pool: str, order: int, members: list[str], size: int | None = None) -> str:
        name = self.name(pool, order)
        labels = tags(self.plan, stack_name, pool=pool)
        self.groups[name] = Held(labels, len(members) if size is None else size, members, order)
        return name

    def name(self, pool: str, order: int) -> str:
        return f"{pool}-{order}"

    def end(self, group: Held, ids: list[str]) -> None:
        assert set(ids) <= set(group.members), "a provider refuses ids that are not of the group"
        self.ended += ids
        group.members = [one for one in group.members if one not in ids]
        group.size -= len(ids)

    def instances(self) -> list[str]:
        return [one for group in self.groups.values() for one in group.members] + self.loose


@dataclass
class Answer:
    status_code: int
    body: Any

    headers: Any = field(default_factory=lambda: {"content-type": "application/json"})

    def json(self) -> Any:
        return self.body

    @property
    def text(self) -> str:
        return json.dumps(self.body)
