"""How the conformance suite sees Volcengine."""

from __future__ import annotations

import base64
from typing import Any

from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open
from tests.program.clouds.volcengine_api import Api

UNTAGGABLE = (
    ":Provider", ":Cluster", ":SecurityGroupRule", ":Associate", ":SnatEntry", ":DnatEntry", ":MountService",
    ":MountServiceAttachment", ":ScalingConfigurationAttachment", ":ScalingGroupEnabler",
)  # fmt: skip


class Volcengine:
    kind = "volcengine"
    examples = ("volcengine-cluster", "volcengine-hosts", "volcengine-metal")
    machines = {  # noqa: RUF012
        "volcengine/ecs.ebmhpcpni3l.48xlarge": "volcengine-cluster",
        "volcengine/ecs.ebmhpcpni2l.32xlarge": "volcengine-cluster",
    }

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        if typ.endswith(":Address"):
            return {"eipAddress": "198.51.100.7"}
        if typ.endswith("ecs/instance:Instance"):
            return {"primaryIpAddress": "10.64.255.4"}
        return {}

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(f"nothing is asked through the engine, but {token} was")

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        Api(pools, reasons).install(monkeypatch)

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        return None

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        named = {one.inputs.get("hpcClusterId") for one in self._configurations(run, pool)}
        return [one for one in run.of(":HpcCluster") if f"{one.name}-id" in named]

    def placement(self, run: Run, pool: str) -> list[Declared]:
        return self.rdma(run, pool)

    def capacity(self, run: Run, pool: str) -> str:
        kinds = set()
        for one in self._configurations(run, pool):
            marks = self.tags(one) or {}
            spot = "spot" if one.inputs["spotStrategy"] == "SpotAsPriceGo" else "on_demand"
            kinds.add(marks.get("railbed-reservation", spot))
        (kind,) = kinds
        return str(kind)

    def size(self, run: Run, pool: str) -> int:
        groups = [one for one in run.of(":ScalingGroup") if self._of(one, pool)]
        assert all(one.inputs["maxInstanceNumber"] <= 100 for one in groups)
        return sum(int(one.inputs["desireInstanceNumber"]) for one in groups)

    def opened(self, run: Run) -> list[Open]:
        return [
            Open(
                one.inputs.get("cidrIp")
                or ("self" if one.inputs["sourceGroupId"] == one.inputs["securityGroupId"] else one.inputs["sourceGroupId"]),
                int(one.inputs["portStart"]) if one.inputs["portStart"] != -1 else 0,
                int(one.inputs["portEnd"]) if one.inputs["portEnd"] != -1 else 65535,
            )
            for one in run.of(":SecurityGroupRule")
            if one.inputs["direction"] == "ingress"
        ]  # fmt: skip

    def groups(self, run: Run, pool: str) -> set[str]:
        return {group for one in self._configurations(run, pool) for group in one.inputs["securityGroupIds"]}

    def public_addresses(self, run: Run) -> list[str]:
        nodes = [*run.of("ecs/instance:Instance"), *run.of(":ScalingConfiguration")]
        words = ("eipBandwidth", "eipId", "eipAddress")
        given = [one.name for one in nodes if any(one.inputs.get(word) for word in words)]
        bound = [one.name for one in run.of(":Associate") if one.inputs["instanceType"] != "Nat"]
        return given + bound

    def disks(self, run: Run) -> dict[str, bool]:
        """The package has no argument for encryption: the support table says so."""
        return {one.name: False for one in [*run.of(":ScalingConfiguration"), *run.of(":FileSystem")]}

    def tags(self, one: Declared) -> dict[str, str] | None:
        if one.typ.endswith(UNTAGGABLE):
            return None
        return {tag["key"]: tag["value"] for tag in one.inputs.get("tags") or []}

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of("vepfs/fileSystem:FileSystem")

    def user_data(self, run: Run) -> list[str]:
        coded = [one.inputs["userData"] for one in run.declared if one.inputs.get("userData")]
        return [base64.b64decode(text, validate=True).decode() for text in coded]

    def _configurations(self, run: Run, pool: str) -> list[Declared]:
        return [one for one in run.of(":ScalingConfiguration") if self._of(one, pool)]

    def _of(self, one: Declared, pool: str) -> bool:
        return (self.tags(one) or {}).get("railbed-pool") == pool


VIEW = Volcengine()
