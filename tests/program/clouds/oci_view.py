"""Oracle Cloud as the conformance suite sees it."""

from __future__ import annotations

import base64
from typing import Any

from tests.program.clouds.oci_fake import Fake
from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

COMPARTMENT = "ocid1.compartment.oc1..exampletrainingcompartment"
VCN = "ocid1.vcn.oc1.ord.examplenetwork"
TAGGABLE_NOT = (":NetworkSecurityGroupSecurityRule", "pulumi:providers:oci", "railbed:oci:Cluster")


class OciView:
    kind = "oci"
    examples: tuple[str, ...] = ("oci-cluster", "oci-hosts", "oci-metal")
    machines: dict[str, str] = {  # noqa: RUF012
        "oci/BM.GPU.A100-v2.8": "oci-cluster",
        "oci/BM.GPU.H100.8": "oci-cluster",
        "oci/BM.GPU.H200.8": "oci-cluster",
        "oci/BM.GPU.B200.8": "oci-cluster",
        "oci/BM.GPU.B300.8": "oci-cluster",
        # A rack's NVLink domain is a GPU memory fabric: the capacity reservation of `oci-cluster` is not for it.
        "oci/BM.GPU.GB200-v3.4": "oci-metal",
        "oci/BM.GPU.GB300.4": "oci-metal",
    }

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        if typ.endswith(":Bastion"):
            return {"privateEndpointIpAddress": "10.64.255.9"}
        if typ.endswith(":Instance"):
            return {"privateIp": "10.64.0.10", "timeCreated": "2026-12-01 00:00:00 +0000 UTC"}
        if typ.endswith(":FileStorageLustreFileSystem"):
            return {"managementServiceAddress": "10.64.128.5", "lnet": "tcp"}
        return {}

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token.endswith("getCompartment"):
            return {"id": args["id"], "state": "ACTIVE"}
        if token.endswith("getSubnet"):
            return {"subnetId": args["subnetId"], "vcnId": VCN, "prohibitPublicIpOnVnic": True}
        if token.endswith("getFileStorageLustreFileSystem"):
            return {"managementServiceAddress": "10.9.0.5", "lnet": "tcp", "fileSystemName": "shared"}
        raise AssertionError(f"unexpected look-up {token}")

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        from railbed.platforms.cloud import consoles
        from railbed.platforms.oci import session

        fake = Fake(renamed(pools), reasons)
        every = dict.fromkeys(
            ("identity", "compute", "management", "network", "limits", "lustre", "work", "bastion"), fake
        )
        monkeypatch.setattr(session, "clients", lambda region: session.Clients(**every))
        monkeypatch.setattr(consoles, "CONSOLE_TIMEOUT_S", 0.0)

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        return None

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        return [
            *self._groups(run, pool, ":ClusterNetwork"),
            *self._groups(run, f"{pool}-rdma", ":ComputeCluster"),
        ]

    def placement(self, run: Run, pool: str) -> list[Declared]:
        return []

    def capacity(self, run: Run, pool: str) -> str:
        racks = [one for one in run.of(":ComputeGpuMemoryCluster") if one.name.rsplit("-", 1)[0] == pool]
        held = next(
            (one.inputs["gpuMemoryFabricId"] for one in racks if "gpuMemoryFabricId" in one.inputs), None
        )
        return held or self._launch(run, pool).get("capacityReservationId") or "on_demand"

    def size(self, run: Run, pool: str) -> int:
        networks = self._groups(run, pool, ":ClusterNetwork")
        if networks:
            return int(networks[0].inputs["instancePools"][0]["size"])
        instances = self._groups(run, pool, ":InstancePool")
        if instances:
            return int(instances[0].inputs["size"])
        racks = [one for one in run.of(":ComputeGpuMemoryCluster") if one.name.rsplit("-", 1)[0] == pool]
        return sum(int(one.inputs["size"]) for one in racks)

    def opened(self, run: Run) -> list[Open]:
        rules = []
        for one in run.of(":NetworkSecurityGroupSecurityRule"):
            if one.inputs["direction"] != "INGRESS":
                continue
            ports = (one.inputs.get("tcpOptions") or {}).get("destinationPortRange", {"min": 0, "max": 65535})
            mine = one.inputs["source"] == one.inputs["networkSecurityGroupId"]
            rules.append(Open("self" if mine else one.inputs["source"], int(ports["min"]), int(ports["max"])))
        for one in run.of(":SecurityList"):
            rules += [Open(rule["source"], 0, 65535) for rule in one.inputs.get("ingressSecurityRules", [])]
        return rules

    def groups(self, run: Run, pool: str) -> set[str]:
        used = self._launch(run, pool)["createVnicDetails"]["nsgIds"]
        return {one.name for one in run.of(":NetworkSecurityGroup") if f"{one.name}-id" in used}

    def public_addresses(self, run: Run) -> list[str]:
        found = [one.name for one in run.of(":PublicIp")]
        for one in run.of(":Instance"):
            found += [one.name] if one.inputs["createVnicDetails"].get("assignPublicIp") != "false" else []
        for one in run.of(":InstanceConfiguration"):
            vnic = one.inputs["instanceDetails"]["launchDetails"]["createVnicDetails"]
            found += [one.name] if vnic.get("assignPublicIp") is not False else []
        for one in run.of(":Subnet"):
            found += [one.name] if one.inputs.get("prohibitPublicIpOnVnic") is not True else []
        return found

    def disks(self, run: Run) -> dict[str, bool]:
        """Oracle encrypts every volume and Lustre filesystem at rest, and there is no argument to turn it off."""
        disks = (":Instance", ":InstanceConfiguration", ":FileStorageLustreFileSystem")
        return {one.name: True for typ in disks for one in run.of(typ)}

    def tags(self, one: Declared) -> dict[str, str] | None:
        if one.typ.endswith(TAGGABLE_NOT):
            return None
        tags: dict[str, str] = one.inputs.get("freeformTags", {})
        return tags

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of(":FileStorageLustreFileSystem")

    def user_data(self, run: Run) -> list[str]:
        metadata = [one.inputs["metadata"] for one in run.of(":Instance")]
        metadata += [
            one.inputs["instanceDetails"]["launchDetails"]["metadata"]
            for one in run.of(":InstanceConfiguration")
        ]
        return [base64.b64decode(one["user_data"]).decode() for one in metadata]

    def _groups(self, run: Run, name: str, typ: str) -> list[Declared]:
        return [one for one in run.of(typ) if one.name == name]

    def _launch(self, run: Run, pool: str) -> dict[str, Any]:
        (found,) = self._groups(run, pool, ":InstanceConfiguration")
        launch: dict[str, Any] = found.inputs["instanceDetails"]["launchDetails"]
        return launch


def renamed(pools: dict[str, list[Node]]) -> dict[str, list[Node]]:
    """Controllers are resources of their own: their ids are those of the recorded instances ``ctl0`` and ``ctl1``."""
    made = [
        Node(f"ctl{place}-id", f"10.64.0.{10 + place}", one.console)
        for place, one in enumerate(pools.get("controller", []))
    ]
    return {name: made if name == "controller" else nodes for name, nodes in pools.items()}


VIEW = OciView()
