"""OpenStack as the conformance suite sees it."""

from __future__ import annotations

import json
from typing import Any

from tests.program.clouds.openstack_fake import PROJECT, Fake
from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

NAMED = (
    ":ServerGroup",
    ":SecGroupRule",
    ":RouterInterface",
    ":ShareAccess",
    ":Cluster",
    "pulumi:providers:openstack",
)
"""Resources that OpenStack gives no tags to."""
BASTION = Node("bastion-id", "10.64.0.5", "")


class OpenstackView:
    kind = "openstack"
    examples: tuple[str, ...] = ("openstack-cluster", "openstack-hosts", "openstack-metal")
    machines: dict[str, str] = {"metal/hgx-h100": "openstack-cluster", "metal/hgx-h200": "openstack-metal"}  # noqa: RUF012

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        if typ.endswith(":FloatingIp"):
            return {"address": "198.51.100.7"}
        return {"accessKey": "a-secret"} if typ.endswith(":ShareAccess") else {}

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token.endswith("getAuthScope"):
            return {"name": args["name"], "projectId": PROJECT}
        raise AssertionError(f"unexpected look-up {token}")

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        from railbed.platforms.cloud import consoles
        from railbed.platforms.openstack import session

        spoken = next(
            (one.console for nodes in pools.values() for one in nodes if "SSH HOST KEY" in one.console), ""
        )
        bastion = [Node(BASTION.id, BASTION.address, spoken)]
        fake = Fake({**pools, "bastion": bastion}, reasons)
        monkeypatch.setattr(session, "connect", lambda region: fake)
        monkeypatch.setattr(consoles, "CONSOLE_TIMEOUT_S", 0.0)

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        """None where the flavour is bare metal, or the hosts have no fabric: then the flavour alone decides."""
        networks = self._server(run, pool)["networks"]
        if len(networks) <= 1:
            return None
        return [
            NicBlock(card, 0, "rail" if "port_extra_properties" in one else "frontend")
            for card, one in enumerate(networks)
        ]

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        ports = [one for one in self._server(run, pool)["networks"] if "port_extra_properties" in one]
        stacks = self._stacks(run, pool)
        # Flavours of the examples that are called bm.* are whole machines, and have their rails.
        whole = [one for one in stacks if one.inputs["parameters"]["flavor"].startswith("bm.")]
        return stacks if ports else whole

    def placement(self, run: Run, pool: str) -> list[Declared]:
        return [one for one in run.of(":ServerGroup") if one.name == pool]

    def capacity(self, run: Run, pool: str) -> str:
        return str(self._server(run, pool)["scheduler_hints"].get("reservation", "on_demand"))

    def size(self, run: Run, pool: str) -> int:
        return sum(int(one.inputs["parameters"]["size"]) for one in self._stacks(run, pool))

    def opened(self, run: Run) -> list[Open]:
        rules = []
        for one in run.of(":SecGroupRule"):
            if one.inputs["direction"] != "ingress":
                continue
            group = one.inputs.get("remoteGroupId")
            own = group == one.inputs["securityGroupId"]
            source = "self" if own else one.inputs.get("remoteIpPrefix") or group or "0.0.0.0/0"
            first, last = one.inputs.get("portRangeMin", 0), one.inputs.get("portRangeMax", 65535)
            rules.append(Open(source, int(first), int(last)))
        return rules

    def groups(self, run: Run, pool: str) -> set[str]:
        used = {one.inputs["parameters"]["security_group"] for one in self._stacks(run, pool)}
        return {one.name for one in run.of(":SecGroup") if f"{one.name}-id" in used}

    def public_addresses(self, run: Run) -> list[str]:
        """The bastion's floating address is no node's."""
        return [one.name for one in run.of(":FloatingIp") if one.inputs.get("portId") != "bastion-id"]

    def disks(self, run: Run) -> dict[str, bool]:
        """Not the project's to ask for: the support table says so."""
        return {}

    def tags(self, one: Declared) -> dict[str, str] | None:
        if one.typ.endswith(NAMED):
            return None
        if "metadata" in one.inputs:
            metadata: dict[str, str] = one.inputs["metadata"]
            return metadata
        return dict(pair.split("=", 1) for pair in one.inputs.get("tags", []))

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of(":Share")

    def user_data(self, run: Run) -> list[str]:
        own = [one.inputs["userData"] for one in run.of(":Instance")]
        return own + [one.inputs["parameters"]["user_data"] for one in run.of(":StackV1")]

    def _stacks(self, run: Run, pool: str) -> list[Declared]:
        found = [one for one in run.of(":StackV1") if one.name.rsplit("-", 1)[0] == pool]
        return sorted(found, key=lambda one: one.name)

    def _server(self, run: Run, pool: str) -> dict[str, Any]:
        stacks = self._stacks(run, pool)
        if not stacks:
            return {"networks": [], "scheduler_hints": {}}
        text = stacks[0].inputs["templateOpts"]["Bin"]
        group = json.loads(text)["resources"]["nodes"]
        assert group["type"] == "OS::Heat::ResourceGroup"
        properties: dict[str, Any] = group["properties"]["resource_def"]["properties"]
        return properties


VIEW = OpenstackView()
