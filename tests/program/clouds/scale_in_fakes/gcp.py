"""Compute Engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.program.clouds.scale_in_fakes.base import BUSY, SAID, Answer, Fake, Held


@dataclass
class Gcp(Fake):
    """Compute Engine API v1."""

    base: str = ""
    slots: dict[str, list[str]] = field(default_factory=dict)
    """Group → places that never got an instance."""

    def name(self, pool: str, order: int) -> str:
        return f"{pool}-{order}-1a2b3c4"

    def install(self, monkeypatch: Any) -> None:
        monkeypatch.setattr("railbed.platforms.gcp.session.Session._connection", lambda _self: self)

    def request(self, method: str, url: str, params: Any, timeout: Any, json: Any = None) -> Answer:
        path = url.split("/zones/europe-west1-b/", 1)[1]
        if path == "instances":
            return Answer(
                200,
                {
                    "items": [
                        {"id": one, "name": f"vm-{one}", "status": "RUNNING"} for one in self.instances()
                    ]
                },
            )
        if path == "instanceGroupManagers":
            return Answer(200, {"items": [self.manager(name, one) for name, one in self.groups.items()]})
        if path.startswith("operations/"):
            return Answer(200, {"name": "op", "status": "DONE"})
        _, name, action = path.split("/")
        group = self.groups[name]
        if action == "listManagedInstances":
            held = [
                {"id": one, "instance": f"zones/z/instances/vm-{one}", "currentAction": "NONE"}
                for one in group.members
            ]
            empty = [
                {"instance": f"zones/z/instances/{one}", "currentAction": "CREATING"}
                for one in self.slots.get(name, [])
            ]
            return Answer(200, {"managedInstances": held + empty})
        assert (method, action) == ("POST", "deleteInstances"), path
        if self.refuse:
            return self.refused(self.refuse.pop(0))
        names = [one.rsplit("/", 1)[1] for one in json["instances"]]
        self.end(group, [one.removeprefix("vm-") for one in names if one.startswith("vm-")])
        group.size -= sum(one in self.slots.get(name, []) for one in names)
        return Answer(200, {"name": "op", "status": "RUNNING"})

    def manager(self, name: str, one: Held) -> dict[str, Any]:
        return {
            "name": name, "baseInstanceName": self.base, "targetSize": one.size,
            "description": f"railbed x: pool y, group {one.order}",
        }  # fmt: skip

    def refused(self, how: str) -> Answer:
        code, reason = (429, "rateLimitExceeded") if how == BUSY else (403, "forbidden")
        return Answer(code, {"error": {"code": code, "message": SAID, "errors": [{"reason": reason}]}})
