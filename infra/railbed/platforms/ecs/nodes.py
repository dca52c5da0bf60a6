"""What hosts of a cluster share, and the one host that SSH enters by: the controller, or a small gate."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pulumi

from railbed.plan import PlannedPool, controller_names
from railbed.platforms.cloud import boot
from railbed.platforms.cloud.scope import Place, Scope
from railbed.platforms.ecs.fabric import GATE, Network
from railbed.platforms.ecs.pools import group_name

Host = TypeVar("Host")
CONTROLLER = "controller"
SYSTEM_DISK_GIB = 200
"""Chosen here: system, driver, CUDA and container layers; data are on local NVMe and on the filesystem."""


@dataclass(frozen=True)
class Making(Generic[Place]):
    """What all nodes of a cluster share."""

    scope: Scope[Place]
    network: Network
    operator_key: str

    @property
    def boot(self) -> str:
        """The boot script of nodes and controllers, as the API takes it."""
        return base64.b64encode(boot.user_data(self.operator_key).encode()).decode()

    @property
    def gate(self) -> str:
        """That of a gate, which no role configures."""
        return base64.b64encode(boot.gate_data(self.scope.plan, self.operator_key).encode()).decode()

    def group_options(
        self, pool: PlannedPool, part: int, *names: str, after: list[pulumi.Resource] | None = None
    ) -> pulumi.ResourceOptions:
        """A renamed pool is the same pool: the provider's ``names``, which must be given, stay as they were made."""
        former = group_name(pool.formerly, part) if pool.formerly else ""
        return self.scope.options(former, ignore_changes=list(names), depends_on=after)

    def host_options(self) -> pulumi.ResourceOptions:
        """Of a host by itself: after the network, and not made anew for another image."""
        return self.scope.options(depends_on=self.network.ready, ignore_changes=["userData", "imageId"])

    def hosts(self, make: Callable[[str, str, str, str], Host], controller: str, gate: str) -> list[Host]:
        """The host behind the gateway's port 22 (the controller where there is a scheduler, else a gate), then the other
        controllers: reached as nodes are.

        ``make``: from name, role, shape and boot script. ``controller`` and ``gate``: shapes, unless the spec says another.
        """
        plan, place = self.scope.plan, self.scope.place
        if not plan.has_controller:
            return [make(GATE, GATE, gate, self.gate)]
        shape = place.controller_shape or controller
        return [make(name, CONTROLLER, shape, self.boot) for name in controller_names(plan)]
