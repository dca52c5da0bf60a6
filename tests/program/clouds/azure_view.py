"""Azure as the conformance suite sees it. Answers are in the forms of the Azure Resource Manager reference (Microsoft.Compute,
Microsoft.Network), made by hand; nothing was recorded from an account."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from tests.program.clouds.recording import Declared, Run
from tests.program.clouds.view import NicBlock, Node, Open

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
ARM = "https://management.azure.com"
LOGS = "https://md-0000000000.z1.blob.storage.azure.net/bootdiagnostics/"
CREATED = "2027-02-01T08:00:00.000000+00:00"
UNTAGGED = (":Subnet", ":InboundNatRule", ":RoleDefinition", ":RoleAssignment")
SET = ":VirtualMachineScaleSet"
LUSTRE = ":AmlFilesystem"
GATE_ADDRESS = "10.64.255.4"
SET_SIZE = 600
"""VMs of one scale set, as the fake fills them."""


class FakeAzure:
    """Stands in for ``Session._send``: the one place where calls go out. Pages hold a few results."""

    def __init__(self, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        self.pools = {
            f"{pool}-{at // SET_SIZE}": nodes[at : at + SET_SIZE]
            for pool, nodes in pools.items()
            for at in range(0, len(nodes), SET_SIZE)
        }
        self.reasons = reasons
        self.asked: list[tuple[str, str]] = []
        self.gate = (pools.get("controller") or [Node("i-gate", GATE_ADDRESS, gate_console())])[0]
        self.machines = dict(
            zip(("controller-1a2b3c4", "controller-1-1a2b3c4"), pools.get("controller", []), strict=False)
        )
        there = [self.gate, *(one for nodes in pools.values() for one in nodes)]
        self.consoles = {one.id: one.console for one in there}

    def send(self, method: str, url: str, query: dict[str, str], *, signed: bool) -> tuple[int, str]:
        assert signed == url.startswith(ARM), "the token goes to Azure Resource Manager, and nowhere else"
        self.asked.append((method, url))
        if url.startswith(LOGS):
            return self.log(url.removeprefix(LOGS))
        path = re.sub(r"^.*/resourceGroups/[^/]+/providers/Microsoft\.(Compute|Network)/", "", url)
        if path.startswith("networkInterfaces/"):
            node = self.machines.get(path.removeprefix("networkInterfaces/").partition("?")[0], self.gate)
            address = {"properties": {"privateIPAddress": node.address}}
            return self.one({"properties": {"ipConfigurations": [address]}})
        kind, name, *rest = path.partition("?")[0].split("/")
        if kind == "virtualMachines":
            return self.machine(name, rest)
        return self.set(name.removesuffix("-1a2b3c4"), rest, url)

    def machine(self, name: str, rest: list[str]) -> tuple[int, str]:
        node = self.machines.get(name, self.gate)
        if rest == ["retrieveBootDiagnosticsData"]:
            return self.one({"serialConsoleLogBlobUri": f"{LOGS}{node.id}"})
        card = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/{name}"
        about = {
            "vmId": node.id, "provisioningState": "Succeeded",
            "networkProfile": {"networkInterfaces": [{"id": card}]},
        }  # fmt: skip
        return self.one({"properties": about})

    def set(self, name: str, rest: list[str], url: str) -> tuple[int, str]:
        nodes = self.pools.get(name, [])
        if rest == ["virtualMachines"]:
            return self.paged(nodes, url, self.listed)
        if rest == ["networkInterfaces"]:
            return self.paged(nodes, url, self.card)
        if rest == ["instanceView"]:
            pool = name.rpartition("-")[0]
            code = "ProvisioningState/failed/AllocationFailed"
            said = self.reasons.get(pool, [])
            return self.one(
                {"statuses": [{"code": code, "level": "Error", "message": text} for text in said]}
            )
        if len(rest) == 3 and rest[2] == "retrieveBootDiagnosticsData":
            return self.one({"serialConsoleLogBlobUri": f"{LOGS}{nodes[int(rest[1])].id}"})
        raise AssertionError(url)

    def listed(self, at: int, one: Node) -> dict[str, Any]:
        about = {"vmId": one.id, "provisioningState": "Succeeded", "timeCreated": CREATED}
        return {"instanceId": str(at), "properties": about}

    def card(self, at: int, one: Node) -> dict[str, Any]:
        address = {"properties": {"privateIPAddress": one.address, "primary": True}}
        machine = {"id": f"/subscriptions/{SUBSCRIPTION}/x/virtualMachines/{at}"}
        return {"properties": {"virtualMachine": machine, "primary": True, "ipConfigurations": [address]}}

    def log(self, key: str) -> tuple[int, str]:
        return 200, self.consoles[key]

    def one(self, body: dict[str, Any]) -> tuple[int, str]:
        return 200, json.dumps(body)

    def paged(
        self, nodes: list[Node], url: str, form: Callable[[int, Node], dict[str, Any]]
    ) -> tuple[int, str]:
        base, _, start = url.partition("?$skiptoken=")
        first, size = int(start or 0), max(2, len(nodes) // 20)
        more = {"nextLink": f"{base}?$skiptoken={first + size}"} if first + size < len(nodes) else {}
        page = enumerate(nodes[first : first + size], first)
        return self.one({"value": [form(at, one) for at, one in page], **more})


def gate_console() -> str:
    """The console of the gate that hosts are reached through."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5" + base64.b64encode(b"\0\0\0 " + bytes(32)).decode().rstrip("=")
    return f"-----BEGIN SSH HOST KEY KEYS-----\n{key}\n-----END SSH HOST KEY KEYS-----\n"


def client_info(address: str) -> dict[str, Any]:
    """What Azure says of a filesystem's clients."""
    mount = f"mount -t lustre {address}@tcp:/lustrefs /lustre"
    return {
        "mgsAddress": address,
        "mountCommand": mount,
        "lustreVersion": "2.15",
        "containerStorageInterface": {},
    }


class AzureView:
    """See ``view.View``."""

    kind = "azure"
    examples = ("azure-cluster", "azure-hosts")
    machines = {  # noqa: RUF012  an attribute of the protocol
        "azure/Standard_ND96isr_H100_v5": "azure-cluster",
        "azure/Standard_ND96isr_H200_v5": "azure-cluster",
        "azure/Standard_ND128isr_NDR_GB200_v6": "azure-cluster",
        "azure/Standard_ND128isr_GB300_v6": "azure-cluster",
    }

    def answers(self, typ: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        more: dict[str, Any] = {"name": f"{name}-1a2b3c4"}
        if typ.endswith(LUSTRE):
            more["clientInfo"] = client_info("10.64.128.4")
        if typ.endswith(":NetworkInterface"):
            more["ipConfigurations"] = [{**inputs["ipConfigurations"][0], "privateIPAddress": GATE_ADDRESS}]
        if typ.endswith(":PublicIPAddress"):
            more["ipAddress"] = "203.0.113.10"
        if typ.endswith(":DiskEncryptionSet"):
            more["identity"] = {
                "principalId": "11111111-1111-1111-1111-111111111111",
                "tenantId": "t",
                "type": "SystemAssigned",
            }
        if typ.endswith(":Key"):
            more["keyUriWithVersion"] = (
                "https://keys1a2b3c4.vault.azure.net/keys/disks/0123456789abcdef0123456789abcdef"
            )
        return more

    def call(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        if token == "azure-native:storagecache:getRequiredAmlFSSubnetsSize":
            return {"filesystemSubnetSize": 40}
        if token == "azure-native:storagecache:getAmlFilesystem":
            return {"clientInfo": client_info("10.9.0.4")}
        if token == "azure-native:network:getVirtualNetwork":
            return {"name": args["virtualNetworkName"]}
        assert token == "azure-native:authorization:getClientConfig", token
        return {"tenantId": "22222222-2222-2222-2222-222222222222", "subscriptionId": SUBSCRIPTION}

    def members(self, monkeypatch: Any, pools: dict[str, list[Node]], reasons: dict[str, list[str]]) -> None:
        fake = FakeAzure(pools, reasons)
        monkeypatch.setattr(
            "railbed.platforms.azure.session.Session._send",
            lambda session, method, url, query, *, signed: fake.send(method, url, query, signed=signed),
        )

    def sets(self, run: Run, pool: str) -> list[Declared]:
        """The pool's scale sets."""
        return [one for one in run.of(SET) if re.fullmatch(rf"{pool}-\d+", one.name)]

    def profile(self, run: Run, pool: str) -> dict[str, Any]:
        """Inputs of its VM profile."""
        found: dict[str, Any] = self.sets(run, pool)[0].inputs["virtualMachineProfile"]
        return found

    def nics(self, run: Run, pool: str) -> list[NicBlock] | None:
        return None

    def rdma(self, run: Run, pool: str) -> list[Declared]:
        sets = self.sets(run, pool)
        # InfiniBand connects the VMs of one set with one placement group, and of no other.
        return sets if len(sets) == 1 and sets[0].inputs["singlePlacementGroup"] is True else []

    def placement(self, run: Run, pool: str) -> list[Declared]:
        return self.rdma(run, pool)

    def capacity(self, run: Run, pool: str) -> str:
        profile = self.profile(run, pool)
        group = profile.get("capacityReservation", {}).get("capacityReservationGroup", {}).get("id")
        return group or {"Regular": "on_demand", "Spot": "spot"}[profile["priority"]]

    def size(self, run: Run, pool: str) -> int:
        return sum(int(one.inputs["sku"]["capacity"]) for one in self.sets(run, pool))

    def groups(self, run: Run, pool: str) -> set[str]:
        cards = self.profile(run, pool)["networkProfile"]["networkInterfaceConfigurations"]
        used = {
            group["id"]
            for card in cards
            for at in card["ipConfigurations"]
            for group in at["applicationSecurityGroups"]
        }
        return {one.name for one in run.of(":ApplicationSecurityGroup") if f"{one.name}-id" in used}

    def opened(self, run: Run) -> list[Open]:
        return [
            Open(source, *ports)
            for one in run.of(":NetworkSecurityGroup")
            for rule in one.inputs["securityRules"]
            if rule["access"] == "Allow" and rule["direction"] == "Inbound"
            for source in sources(rule)
            for ports in spans(rule)
        ]

    def public_addresses(self, run: Run) -> list[str]:
        given = [
            one.name
            for one in run.of(":NetworkInterface")
            if any("publicIPAddress" in at for at in one.inputs["ipConfigurations"])
        ]
        for one in run.of(SET):
            for card in one.inputs["virtualMachineProfile"]["networkProfile"][
                "networkInterfaceConfigurations"
            ]:
                given += [one.name for at in card["ipConfigurations"] if "publicIPAddressConfiguration" in at]
        return given

    def disks(self, run: Run) -> dict[str, bool]:
        profiles = {one.name: one.inputs["virtualMachineProfile"] for one in run.of(SET)}
        profiles |= {one.name: one.inputs for one in run.of(":VirtualMachine")}
        found = {
            name: bool(profile["securityProfile"]["encryptionAtHost"])
            and bool(profile["storageProfile"]["osDisk"]["managedDisk"].get("diskEncryptionSet"))
            for name, profile in profiles.items()
        }
        # Managed Lustre is always encrypted at rest (learn.microsoft.com/azure/azure-managed-lustre).
        return found | {one.name: True for one in run.of(LUSTRE)}

    def tags(self, one: Declared) -> dict[str, str] | None:
        return (
            None
            if one.typ.endswith(UNTAGGED) or not one.typ.startswith("azure-native:")
            else one.inputs.get("tags", {})
        )

    def filesystems(self, run: Run) -> list[Declared]:
        return run.of(LUSTRE)

    def user_data(self, run: Run) -> list[str]:
        profiles = [one.inputs["virtualMachineProfile"] for one in run.of(SET)]
        profiles += [one.inputs for one in run.of(":VirtualMachine")]
        return [base64.b64decode(profile["osProfile"]["customData"]).decode() for profile in profiles]


def sources(rule: dict[str, Any]) -> list[str]:
    """Networks that a rule lets in, or the groups: ``self`` where it is the group itself."""
    groups = [one["id"] for one in rule.get("sourceApplicationSecurityGroups", [])]
    inside = [one["id"] for one in rule.get("destinationApplicationSecurityGroups", [])]
    if groups:
        return ["self"] if groups == inside else groups
    return rule.get("sourceAddressPrefixes") or [rule["sourceAddressPrefix"]]


def spans(rule: dict[str, Any]) -> list[tuple[int, int]]:
    """First and last port of each range."""
    ranges = rule.get("destinationPortRanges") or [rule["destinationPortRange"]]
    ends = [(0, 65535) if text == "*" else tuple(int(part) for part in text.split("-")) for text in ranges]
    return [(one[0], one[-1]) for one in ends]


VIEW = AzureView()
