"""An OpenStack cloud as the platform asks it, from members that a test names. Answers are the SDK's own resources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

from openstack.compute.v2 import availability_zone, flavor, limits, server
from openstack.image.v2 import image
from openstack.network.v2 import network
from openstack.orchestration.v1 import resource
from openstack.shared_file_system.v2 import share_export_locations
from tests.program.clouds.view import Node

PROJECT = "00000000000000000000000000000a01"
NETWORK = "cluster-net"
PER_STACK = 900
MANY = 500
LONE = {"controller": "ctl{}-id", "bastion": "bastion-id"}
"""Ids of recorded servers, by their place."""


@dataclass
class Fake:
    """A connection: each of its services is itself."""

    pools: dict[str, list[Node]]
    """Pool → members that run; hosts of their own by the names in LONE."""
    reasons: dict[str, list[str]] = field(default_factory=dict)
    project: str = PROJECT
    change: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.compute = self.network = self.image = self.shared_file_system = self.orchestration = self
        self.consoles = {self._id(pool, n): n.console for pool, nodes in self.pools.items() for n in nodes}

    @property
    def current_project_id(self) -> str:
        return self.project

    def _id(self, pool: str, node: Node) -> str:
        return LONE[pool].format(self.pools[pool].index(node)) if pool in LONE else node.id

    def servers(self) -> Iterator[server.Server]:
        other = {"version": 4, "addr": "10.200.0.1", "OS-EXT-IPS:type": "fixed"}
        for pool, nodes in self.pools.items():
            for node in nodes:
                mine = {"version": 4, "addr": node.address, "OS-EXT-IPS:type": "fixed"}
                yield self._made(
                    server.Server, id=self._id(pool, node), status="ACTIVE", created_at="2026-12-01T00:00:00Z",
                    addresses={"rail-0": [other], NETWORK: [mine]},
                )  # fmt: skip
        yield server.Server(id="of-somebody-else", status="ACTIVE", addresses={})

    def _made(self, kind: Any, **facts: Any) -> Any:
        """The SDK's resource; of thousands of nodes a plain object, since making one of the SDK's takes a millisecond."""
        many = sum(len(nodes) for nodes in self.pools.values()) > MANY
        empty = dict.fromkeys(("physical_resource_id", "status_reason", "status"))
        return SimpleNamespace(**{**empty, **facts}) if many else kind(**facts)

    def resources(self, stack: str) -> list[resource.Resource]:
        """Ids of recorded stacks are ``<pool>-<index>-id``; the group's own stack is ``<pool>-<index>-group``."""
        pool, index, kind = stack.rsplit("-", 2)
        one = partial(self._made, resource.Resource)
        if kind == "id":
            group = f"{pool}-{index}-group"
            return [one(name="nodes", resource_type="OS::Heat::ResourceGroup", physical_resource_id=group)]
        some = self.pools[pool][int(index) * PER_STACK : (int(index) + 1) * PER_STACK]
        failed = self.reasons.get(pool, [])
        return [
            *(
                one(resource_type="OS::Nova::Server", physical_resource_id=n.id, status="CREATE_COMPLETE")
                for n in some
            ),
            *(
                one(resource_type="OS::Nova::Server", status="CREATE_FAILED", status_reason=text)
                for text in failed
            ),
        ]

    def get_server_console_output(self, server: str) -> dict[str, Any]:
        return {"output": self.consoles[server]}

    def get_network(self, name: str) -> network.Network:
        return network.Network(id=name, name=NETWORK)

    def export_locations(self, share: str) -> list[share_export_locations.ShareExportLocation]:
        one = share_export_locations.ShareExportLocation
        return [one(path="10.0.0.9:/slow"), one(path="10.0.0.5:/volumes/x", is_preferred=True)]

    def endpoint_for(self, service: str) -> str | None:
        return None if service in self.change.get("lacks", ()) else f"https://cloud.test/{service}"

    def availability_zones(self) -> list[availability_zone.AvailabilityZone]:
        return [
            availability_zone.AvailabilityZone(name="gpu", state={"available": self.change.get("zone", True)})
        ]

    def find_flavor(self, name: str) -> flavor.Flavor | None:
        return flavor.Flavor(name=name) if name in self.change.get("flavors", (name,)) else None

    def find_image(self, name: str) -> image.Image | None:
        told = {"architecture": "x86_64", "status": "active", **self.change.get("image", {})}
        return image.Image(id=name, name="ubuntu-24.04", **told)

    def get_limits(self) -> Any:
        allowed = {"maxTotalInstances": 100, "maxServerGroupMembers": 100, **self.change.get("limits", {})}
        return SimpleNamespace(absolute=limits.AbsoluteLimits(**allowed))

    def find_network(self, name: str) -> network.Network | None:
        return None if name in self.change.get("no_network", ()) else network.Network(id=name)
