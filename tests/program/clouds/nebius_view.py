"""Nebius as the conformance suite sees it."""

from __future__ import annotations

import re
from typing import Any

from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

PROJECT = "project-e00exampleproject"
KEY = re.compile(r"ssh-ed25519 \S+")
HELD = {
    "currentLimit": 80_000, "state": "STATE_ACTIVE", "region": "eu-north1",
    "resourceAffinity": {"computeV1": {"fabric": "fabric-2", "platform": "gpu-h100-sxm"}},
}  # fmt: skip


class NebiusView:
    kind = "nebius"
    examples: tuple[str, ...] = ("nebius-cluster", "nebius-hosts")
    machines: dict[str, str] = {  # noqa: RUF012
        "nebius/gpu-h100-sxm": "nebius-cluster",
        # The capacity block of `nebius-cluster` holds H100: the others by the hour.
        "nebius/gpu-h200-sxm": "nebius-hosts",
        "nebius/gpu-b200-sxm": "nebius-hosts",
        "nebius/gpu-b200-sxm-a": "nebius-hosts",
    }

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        if not typ.endswith(":ComputeV1Instance"):
            return {}
        (card,) = inputs["networkInterfaces"]
        public = {"publicIpAddress": {"address": "198.51.100.7/32"}} if "publicIpAddress" in card else {}
        return {"status": {"networkInterfaces": [{"ipAddress": {"address": "10.64.0.9/32"}, **public}]}}

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token.endswith("getIamV1Project"):
            return {"id": args["id"], "status": {"region": "eu-north1"}}
        if token.endswith("getCapacityV1CapacityBlockGroup"):
            return {"id": args["id"], "status": HELD}
        raise AssertionError(f"unexpected look-up {token}")

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        """Instances are the engine's own: what a test names stands for what they became, and for what an operator read."""
        from railbed.platforms.nebius import discover

        nodes = [node for some in pools.values() for node in some]
        keys = {node.id: found.group() for node in nodes if (found := KEY.search(node.console))}
        some_key = next(iter(keys.values()), "")

        def listed(pool: str, made: Any) -> tuple[list[Any], list[str]]:
            there = [discover.Seen(id=one.id, address=one.address) for one in pools.get(pool, [])]
            return there[: len(made)], reasons.get(pool, [])

        monkeypatch.setattr(discover, "listed", listed)
        monkeypatch.setattr(discover, "given", lambda plan: {"bastion-id": some_key, **keys})

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        return None

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        clusters = {f"{one.name}-id": one for one in run.of(":ComputeV1GpuCluster")}
        joined = {(one.inputs.get("gpuCluster") or {}).get("id") for one in self._nodes(run, pool)}
        return [clusters[one] for one in joined if one in clusters]

    def placement(self, run: Run, pool: str) -> list[Declared]:
        return []

    def capacity(self, run: Run, pool: str) -> str:
        first = self._nodes(run, pool)[0].inputs
        if "preemptible" in first:
            return "spot"
        policy = first["reservationPolicy"]
        return str(policy["reservationIds"][0]) if policy["policy"] == "STRICT" else "on_demand"

    def size(self, run: Run, pool: str) -> int:
        return len(self._nodes(run, pool))

    def opened(self, run: Run) -> list[Open]:
        rules = []
        for one in run.of(":VpcV1SecurityRule"):
            ingress = one.inputs.get("ingress")
            if ingress is None:
                continue
            group = ingress.get("sourceSecurityGroupId")
            own = group == one.inputs["parentId"]
            sources = ingress.get("sourceCidrs") or (["self"] if own else [group] if group else ["0.0.0.0/0"])
            ports = ingress.get("destinationPorts") or [0, 65535]
            rules += [Open(source, int(ports[0]), int(ports[-1])) for source in sources]
        return rules

    def groups(self, run: Run, pool: str) -> set[str]:
        used = {group["id"] for one in self._nodes(run, pool) for group in self._card(one)["securityGroups"]}
        return {one.name for one in run.of(":VpcV1SecurityGroup") if f"{one.name}-id" in used}

    def public_addresses(self, run: Run) -> list[str]:
        instances = run.of(":ComputeV1Instance")
        return [
            one.name for one in instances if one.name != "bastion" and self._card(one).get("publicIpAddress")
        ]

    def disks(self, run: Run) -> dict[str, bool]:
        """Boot disks; of filesystems the provider tells nothing, and the support table says so."""
        specs = {
            one.name: one.inputs["bootDisk"]["managedDisk"]["spec"] for one in run.of(":ComputeV1Instance")
        }
        return {
            name: (spec.get("diskEncryption") or {}).get("type") == "DISK_ENCRYPTION_MANAGED"
            for name, spec in specs.items()
        }

    def tags(self, one: Declared) -> dict[str, str] | None:
        if one.typ.startswith("pulumi:") or one.typ.endswith(":Cluster"):
            return None
        labels: dict[str, str] = one.inputs.get("labels", {})
        return labels

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of(":ComputeV1Filesystem")

    def user_data(self, run: Run) -> list[str]:
        """The provider's schema marks it as secret: the engine is given it in an envelope."""
        given = [one.inputs["cloudInitUserData"] for one in run.of(":ComputeV1Instance")]
        return [one["value"] if isinstance(one, dict) else one for one in given]

    def _nodes(self, run: Run, pool: str) -> list[Declared]:
        """In the order of their names: resources are registered side by side."""
        found = [one for one in run.of(":ComputeV1Instance") if one.name.rsplit("-", 1)[0] == pool]
        return sorted(found, key=lambda one: int(one.name.rsplit("-", 1)[1]))

    def _card(self, one: Declared) -> dict[str, Any]:
        card: dict[str, Any] = one.inputs["networkInterfaces"][0]
        return card


VIEW = NebiusView()
