"""How the conformance suite sees Alibaba Cloud."""

from __future__ import annotations

import base64
from typing import Any

from tests.program.clouds.alicloud_api import Api
from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

UNTAGGABLE = (
    ":Provider", "alicloud:Cluster", ":SecurityGroupRule", ":EipAssociation", ":SnatEntry", ":ForwardEntry", ":MountTarget",
    "eflo/subnet:Subnet", ":NodeGroup",
)  # fmt: skip


class Alicloud:
    kind = "alicloud"
    examples = ("alicloud-cluster", "alicloud-hosts", "alicloud-metal")
    machines = {  # noqa: RUF012
        "alicloud/lingjun-h20": "alicloud-cluster",
        "alicloud/ecs.ebmgn8v.48xlarge": "alicloud-hosts",
    }

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        if typ.endswith(":EipAddress"):
            return {"ipAddress": "198.51.100.7"}
        if typ.endswith("ecs/instance:Instance"):
            return {"primaryIpAddress": "10.64.255.4"}
        if typ.endswith(":NodeGroup"):
            return {"nodeGroupId": f"{name.removeprefix('pool-')}-group"}
        if typ.endswith(":MountTarget"):
            return {"mountTargetDomain": "cpfs-made.cn-wulanchabu.cpfs.aliyuncs.com"}
        if typ.endswith("eflo/subnet:Subnet"):
            return {"subnetId": "subnet-made"}
        return {}

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(f"nothing is asked through the engine, but {token} was")

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        Api(pools, reasons).install(monkeypatch)

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        """Lingjun's nodes have their rails; eRDMA interfaces are shared by the GPUs and are no rail each."""
        return None

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        ids = {one.inputs["clusterId"] for one in self._groups(run, pool)}
        clusters = [one for one in run.of("eflo/cluster:Cluster") if f"{one.name}-id" in ids]
        cards = [
            one
            for one in self._configurations(run, pool)
            if any(c.get("networkInterfaceTrafficMode") == "HighPerformance" for c in one.inputs.get("networkInterfaces") or [])
        ]  # fmt: skip
        return clusters + cards

    def placement(self, run: Run, pool: str) -> list[Declared]:
        return [one for one in self.rdma(run, pool) if one.inputs.get("hpnZone")]

    def capacity(self, run: Run, pool: str) -> str:
        if self._groups(run, pool):
            return next((str(one.inputs["hpnZone"]) for one in self.rdma(run, pool)), "")
        kinds = set()
        for one in self._configurations(run, pool):
            spot = "spot" if one.inputs["spotStrategy"] == "SpotAsPriceGo" else "on_demand"
            private = one.inputs.get("resourcePoolOptionsPrivatePoolIds") or [spot]
            kinds.add(private[0])
        (kind,) = kinds
        return str(kind)

    def size(self, run: Run, pool: str) -> int:
        groups = [one for one in run.of(":ScalingGroup") if self._of(one, pool)]
        assert all(one.inputs["maxSize"] <= 2000 for one in groups)
        bought = sum(len(one.inputs["nodes"]) for one in self._groups(run, pool))
        return bought + sum(int(one.inputs["desiredCapacity"]) for one in groups)

    def opened(self, run: Run) -> list[Open]:
        return [
            Open(self._source(one), *self._ports(one.inputs["portRange"]))
            for one in run.of(":SecurityGroupRule")
            if one.inputs["type"] == "ingress"
        ]

    def groups(self, run: Run, pool: str) -> set[str]:
        """Lingjun's node groups are behind their cluster's group."""
        found = {
            one.inputs["networks"]["securityGroupId"]
            for one in self.rdma(run, pool)
            if one.inputs.get("networks")
        }
        for one in self._configurations(run, pool):
            found |= set(one.inputs.get("securityGroupIds") or [])
            found |= {
                group
                for card in one.inputs.get("networkInterfaces") or []
                for group in card["securityGroupIds"]
            }
        return found

    def public_addresses(self, run: Run) -> list[str]:
        nodes = [*run.of("ecs/instance:Instance"), *run.of(":ScalingConfiguration")]
        given = [one.name for one in nodes if one.inputs.get("internetMaxBandwidthOut") != 0]
        return given + [one.name for one in run.of(":EipAssociation") if one.inputs["instanceType"] != "Nat"]

    def disks(self, run: Run) -> dict[str, bool]:
        """CPFS has no argument for encryption: the support table says so."""
        nodes = [*run.of("ecs/instance:Instance"), *run.of(":ScalingConfiguration")]
        return {one.name: bool(one.inputs.get("systemDiskEncrypted")) for one in nodes}

    def tags(self, one: Declared) -> dict[str, str] | None:
        if one.typ.endswith(UNTAGGABLE):
            return None
        return dict(one.inputs.get("tags") or {})

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of("nas/fileSystem:FileSystem")

    def user_data(self, run: Run) -> list[str]:
        coded = [one.inputs["userData"] for one in run.declared if one.inputs.get("userData")]
        return [base64.b64decode(text, validate=True).decode() for text in coded]

    def _source(self, one: Declared) -> str:
        source = one.inputs.get("sourceSecurityGroupId")
        return str(
            one.inputs.get("cidrIp") or ("self" if source == one.inputs["securityGroupId"] else source)
        )

    def _ports(self, text: str) -> tuple[int, int]:
        first, last = (int(part) for part in text.split("/"))
        return (0, 65535) if first == -1 else (first, last)

    def _configurations(self, run: Run, pool: str) -> list[Declared]:
        return [one for one in run.of(":ScalingConfiguration") if self._of(one, pool)]

    def _groups(self, run: Run, pool: str) -> list[Declared]:
        return [one for one in run.of(":NodeGroup") if one.inputs["nodeGroupDescription"].split()[-1] == pool]

    def _of(self, one: Declared, pool: str) -> bool:
        return (self.tags(one) or {}).get("railbed-pool") == pool


VIEW = Alicloud()
