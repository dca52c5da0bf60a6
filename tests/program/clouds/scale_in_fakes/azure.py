"""Azure Resource Manager."""

from __future__ import annotations

import json
from typing import Any

from tests.program.clouds.scale_in_fakes.base import BUSY, SAID, Fake, Held


class Azure(Fake):
    """Azure Resource Manager, Microsoft.Compute."""

    def name(self, pool: str, order: int) -> str:
        return f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/{pool}-{order}1a2b3c4d"

    def install(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(
            "railbed.platforms.azure.session.Session._send", lambda _self, *a, **k: self.send(*a, **k)
        )

    def send(self, method: str, url: str, query: Any, *, signed: bool, body: Any = None) -> tuple[int, str]:
        path = url.partition("management.azure.com")[2].partition("?")[0]
        if path.endswith("providers/Microsoft.Compute/virtualMachineScaleSets"):
            return self.listed([self.about(name, one) for name, one in self.groups.items()])
        if path.endswith("providers/Microsoft.Compute/virtualMachines"):
            return self.listed([{"properties": {"vmId": one}} for one in self.loose])
        if path in self.groups:
            return 200, json.dumps(self.about(path, self.groups[path]))
        name, _, action = path.rpartition("/")
        group = self.groups[name]
        if action == "virtualMachines":
            return self.listed(
                [
                    {"instanceId": f"n{one}", "properties": {"vmId": one, "provisioningState": "Succeeded"}}
                    for one in group.members
                ]
            )
        assert (method, action) == ("POST", "delete"), path
        if self.refuse:
            status, code = (
                (409, "OperationNotAllowed") if self.refuse.pop(0) == BUSY else (403, "AuthorizationFailed")
            )
            return status, json.dumps({"error": {"code": code, "message": SAID}})
        self.end(group, [one.removeprefix("n") for one in body["instanceIds"]])
        return 202, ""

    def about(self, name: str, one: Held) -> dict[str, Any]:
        return {
            "id": name, "name": name.rsplit("/", 1)[1], "tags": one.labels, "sku": {"capacity": one.size},
            "properties": {"provisioningState": "Succeeded"},
        }  # fmt: skip

    def listed(self, value: list[Any]) -> tuple[int, str]:
        return 200, json.dumps({"value": value})
