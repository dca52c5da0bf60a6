"""What the identities on Azure can do and cannot: all that `up` and `destroy` ask for, and the known ways to more rights.

The judge is a stand-in for Azure's: role definitions (Microsoft Learn, "Understand Azure role definitions") and the part of
the language of conditions that our one condition uses ("Azure role assignment condition format and syntax").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import cases
from tests.program.clouds.azure_view import VIEW
from tests.program.clouds.policy_language import matches
from tests.program.clouds.recording import Declared

from railbed.platforms.azure import facts

pytestmark = pytest.mark.simulated
FOLDER = cases.ROOT / "infra/railbed/platforms/azure/identities"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
GROUP = f"{SUBSCRIPTION}/resourceGroups/training"
OTHER = f"{SUBSCRIPTION}/resourceGroups/production"
DISKS = facts.facts().encryption_role
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True)
class Ask:
    """One action at a scope; of role assignments also which role, and for what kind of principal."""

    action: str
    scope: str = GROUP
    attributes: Mapping[str, str] = field(default_factory=dict)


def role(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def granted(name: str, action: str) -> bool:
    definition = role(name)
    assert definition["NotActions"] == definition["DataActions"] == definition["NotDataActions"] == []
    return any(matches(one.lower(), action.lower()) for one in definition["Actions"])


def may_apply(ask: Ask) -> bool:
    """Of somebody with `plan` on the subscription, and `apply` with its condition on the resource group."""
    if granted("plan", ask.action):
        return True
    inside = ask.scope == GROUP or ask.scope.startswith(f"{GROUP}/")
    condition = (FOLDER / "apply_condition.txt").read_text()
    return inside and granted("apply", ask.action) and Condition(condition, ask).holds()


class Condition:
    """A condition's text over one request: ``!``, ``AND``, ``OR``, ActionMatches, GuidEquals, StringEqualsIgnoreCase."""

    TOKEN = re.compile(
        r"\s*(?:(?P<op>[()!]|AND|OR)|ActionMatches\{'(?P<action>[^']+)'\}"
        r"|@(?P<side>Request|Resource)\[" + re.escape(ASSIGNMENTS) + r":(?P<attribute>\w+)\]"
        r" ForAnyOfAnyValues:(?:GuidEquals|StringEqualsIgnoreCase) \{(?P<values>[^}]*)\})"
    )

    def __init__(self, text: str, ask: Ask) -> None:
        self.ask = ask
        self.tokens = list(self._read(text.strip()))

    def _read(self, text: str) -> Iterator[re.Match[str]]:
        at = 0
        while at < len(text):
            found = self.TOKEN.match(text, at)
            assert found, f"not in the part that is known: {text[at : at + 60]!r}"
            yield found
            at = found.end()

    def holds(self) -> bool:
        value = self._any()
        assert not self.tokens
        return value

    def _next(self, *ops: str) -> bool:
        if self.tokens and self.tokens[0]["op"] in ops:
            self.tokens.pop(0)
            return True
        return False

    def _any(self) -> bool:
        value = self._all()
        while self._next("OR"):
            value = self._all() or value
        return value

    def _all(self) -> bool:
        value = self._one()
        while self._next("AND"):
            value = self._one() and value
        return value

    def _one(self) -> bool:
        if self._next("!"):
            return not self._one()
        if self._next("("):
            value = self._any()
            assert self._next(")")
            return value
        token = self.tokens.pop(0)
        if token["action"]:
            return self.ask.action == token["action"]
        values = {one.strip().strip("'").lower() for one in token["values"].split(",")}
        return self.ask.attributes.get(token["attribute"], "").lower() in values


TYPES = {
    ":RoleAssignment": "Microsoft.Authorization/roleAssignments",
    ":DiskEncryptionSet": "Microsoft.Compute/diskEncryptionSets",
    ":VirtualMachine": "Microsoft.Compute/virtualMachines",
    ":VirtualMachineScaleSet": "Microsoft.Compute/virtualMachineScaleSets",
    ":Vault": "Microsoft.KeyVault/vaults",
    ":ApplicationSecurityGroup": "Microsoft.Network/applicationSecurityGroups",
    ":NatGateway": "Microsoft.Network/natGateways",
    ":NetworkInterface": "Microsoft.Network/networkInterfaces",
    ":NetworkSecurityGroup": "Microsoft.Network/networkSecurityGroups",
    ":PublicIPAddress": "Microsoft.Network/publicIPAddresses",
    ":LoadBalancer": "Microsoft.Network/loadBalancers",
    ":InboundNatRule": "Microsoft.Network/loadBalancers/inboundNatRules",
    ":Subnet": "Microsoft.Network/virtualNetworks/subnets",
    ":VirtualNetwork": "Microsoft.Network/virtualNetworks",
    ":AmlFilesystem": "Microsoft.StorageCache/amlFilesystems",
    ":ResourceGroup": "Microsoft.Resources/subscriptions/resourceGroups",
}
"""Type of the program → Azure's own: each is read, written and deleted."""
JOINS = (
    "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action", "Microsoft.Network/natGateways/join/action",
    "Microsoft.Network/networkInterfaces/join/action", "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/publicIPAddresses/join/action", "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/loadBalancers/inboundNatRules/join/action", "Microsoft.KeyVault/vaults/keys/write",
    "Microsoft.Compute/virtualMachineScaleSets/delete/action",
)  # fmt: skip
"""What one resource needs of another that it uses; a key (never deleted alone); and the end of single nodes."""


def asks(one: Declared) -> Iterator[Ask]:
    path = next((found for end, found in TYPES.items() if one.typ.endswith(end)), one.typ)
    attributes = {}
    if one.typ.endswith(":RoleAssignment"):
        attributes = {
            "RoleDefinitionId": one.inputs["roleDefinitionId"].rpartition("/")[2],
            "PrincipalType": one.inputs["principalType"],
        }
    for verb in ("read", "write", "delete"):
        yield Ask(f"{path}/{verb}", attributes=attributes)


def test_everything_that_up_and_destroy_ask_for_is_allowed(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cases.example("azure-hosts")
    data["access"] = {**data["access"], "ssh_from": ["203.0.113.0/24"]}
    programs = [cases.small("azure"), data]
    declared = [
        one
        for program in programs
        for one in cases.run(VIEW, cases.planned(program), monkeypatch).run.declared
        if one.typ.startswith("azure-native:") and not one.typ.endswith("keyvault:Key")
    ]
    asked = [ask for one in declared for ask in asks(one)]
    refused = [ask.action for ask in [*asked, *map(Ask, JOINS)] if not may_apply(ask)]
    assert refused == []
    assert sum(ask.action.startswith(ASSIGNMENTS) for ask in asked) >= 6


def assign(role: str, principal: str, verb: str = "write") -> Ask:
    return Ask(f"{ASSIGNMENTS}/{verb}", GROUP, {"RoleDefinitionId": role, "PrincipalType": principal})


ESCALATIONS = {
    "Owner for oneself": assign(OWNER, "User"),
    "Owner for a service principal": assign(OWNER, "ServicePrincipal"),
    "the role of the disks' key for oneself": assign(DISKS, "User"),
    "the role of the disks' key for a group": assign(DISKS, "Group"),
    "an administrator's assignment is deleted": assign(OWNER, "User", "delete"),
    "the disks' key of another group": Ask(
        f"{ASSIGNMENTS}/write", OTHER, {"RoleDefinitionId": DISKS, "PrincipalType": "ServicePrincipal"}
    ),
    "one's own role is widened": Ask("Microsoft.Authorization/roleDefinitions/write"),
    "a role is deleted": Ask("Microsoft.Authorization/roleDefinitions/delete"),
    "access to everything": Ask("Microsoft.Authorization/elevateAccess/action"),
    "a lock is deleted": Ask("Microsoft.Authorization/locks/delete"),
    "a policy is excepted from": Ask("Microsoft.Authorization/policyExemptions/write"),
    "somebody's identity for a VM": Ask("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"),
    "an identity's token for oneself": Ask(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write"
    ),
    "a new identity": Ask("Microsoft.ManagedIdentity/userAssignedIdentities/write"),
    "a command on a VM": Ask("Microsoft.Compute/virtualMachines/runCommand/action"),
    "a command on a node": Ask("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action"),
    "an extension on a VM": Ask("Microsoft.Compute/virtualMachines/extensions/write"),
    "a serial console": Ask("Microsoft.SerialConsole/serialPorts/connect/action"),
    "a disk is copied out": Ask("Microsoft.Compute/disks/beginGetAccess/action"),
    "a secret is read": Ask("Microsoft.KeyVault/vaults/secrets/getSecret/action"),
    "a vault's key is used": Ask("Microsoft.KeyVault/vaults/keys/decrypt/action"),
    "a vault is purged": Ask("Microsoft.KeyVault/locations/deletedVaults/purge/action"),
    "keys of a storage account": Ask("Microsoft.Storage/storageAccounts/listKeys/action"),
    "a VM of another group is deleted": Ask("Microsoft.Compute/virtualMachines/delete", OTHER),
    "a VM of another group is changed": Ask("Microsoft.Compute/virtualMachines/write", OTHER),
    "a vault of another group is opened": Ask("Microsoft.KeyVault/vaults/write", OTHER),
    "a network of another group is changed": Ask("Microsoft.Network/networkSecurityGroups/write", OTHER),
    "another group is deleted": Ask("Microsoft.Resources/subscriptions/resourceGroups/delete", OTHER),
    "a filesystem of another group is deleted": Ask("Microsoft.StorageCache/amlFilesystems/delete", OTHER),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    assert not may_apply(ESCALATIONS[what])


def test_the_program_makes_no_identity_and_assigns_the_disks_role_only(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cases.run(VIEW, cases.planned(cases.small("azure")), monkeypatch).run
    assert [
        one for one in run.declared if one.typ.endswith((":RoleDefinition", ":UserAssignedIdentity"))
    ] == []
    (made,) = run.of(":RoleAssignment")
    assert made.inputs["roleDefinitionId"].endswith(f"/{DISKS}")
    assert made.inputs["principalType"] == "ServicePrincipal"


@pytest.mark.parametrize("name", ["plan", "apply", "repair", "validate"])
def test_identities_name_single_actions(name: str) -> None:
    definition = role(name)
    assert definition["DataActions"] == []
    assert not [action for action in definition["Actions"] if "*" in action]
    harmless = ("/read", "/retrieveBootDiagnosticsData/action", "/getRequiredAmlFSSubnetsSize/action")
    changes = [action for action in definition["Actions"] if not action.endswith(harmless)]
    assert bool(changes) == (name in ("apply", "repair"))
    if name == "repair":
        assert all(action.startswith("Microsoft.Compute/virtualMachine") for action in changes)
