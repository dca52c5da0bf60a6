"""OpenStack."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from openstack.exceptions import HttpException, NotFoundException
from openstack.orchestration.v1 import resource, stack
from tests.program.clouds.scale_in_fakes.base import BUSY, SAID, Fake


@dataclass
class Openstack(Fake):
    """The SDK's own resources; Heat removes what the parameter ``removal`` names when the size goes down."""

    empty: list[str] = field(default_factory=list)
    """Names in the group that never got a server."""

    def name(self, pool: str, order: int) -> str:
        return f"x-{pool}-{order}"

    def install(self, monkeypatch: Any) -> None:
        self.orchestration = self.compute = self
        monkeypatch.setattr("railbed.platforms.openstack.session.connect", lambda _region: self)

    def stacks(self) -> list[Any]:
        return [self.get_stack(name) for name in self.groups]

    def get_stack(self, name: str, **_: Any) -> Any:
        one = self.groups[name]
        labels = [f"{key}={value}" for key, value in one.labels.items()]
        parameters = {"size": str(one.size)}
        return stack.Stack(id=name, name=name, tags=labels, parameters=parameters, status="UPDATE_COMPLETE")

    def resources(self, name: str) -> list[Any]:
        if name in self.groups:
            group = {"resource_type": "OS::Heat::ResourceGroup", "physical_resource_id": f"{name}/inner"}
            return [resource.Resource(name="nodes", **group)]
        members = self.groups[name.removesuffix("/inner")].members
        made = {f"at-{one}": one for one in members} | dict.fromkeys(self.empty)
        server = {"resource_type": "OS::Nova::Server"}
        return [resource.Resource(name=at, physical_resource_id=one, **server) for at, one in made.items()]

    def get_server(self, one: str) -> Any:
        if one not in self.instances():
            raise NotFoundException("no such server")
        return SimpleNamespace(id=one)

    def patch(self, path: str, json: Any) -> Any:
        if self.refuse:
            raise HttpException(SAID, http_status=503 if self.refuse.pop(0) == BUSY else 403)
        group = self.groups[path.rsplit("/", 1)[1]]
        (removal,) = json["parameters"]["removal"]
        listed = removal["resource_list"]
        assert int(json["parameters"]["size"]) == group.size - len(listed), "Heat would choose the others"
        self.end(group, [one.removeprefix("at-") for one in listed if one not in self.empty])
        group.size -= sum(one in self.empty for one in listed)
        self.empty = [one for one in self.empty if one not in listed]
        return SimpleNamespace(status_code=202)
