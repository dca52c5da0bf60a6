"""What the identities on Oracle Cloud can do and cannot: all that `up` and `destroy` ask for, and the known ways to more rights.

The judge is a stand-in for the part of the policy language that our statements use (Oracle, "Policy Syntax", "Verbs", and
"Details for the Core Services", whose families are below).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.program.clouds import cases
from tests.program.clouds.oci_view import VIEW

pytestmark = pytest.mark.simulated
FOLDER = cases.ROOT / "infra/railbed/platforms/oci/identities"
IDENTITIES = ("plan", "apply", "repair", "validate")
VERBS = ("inspect", "read", "use", "manage")
"""Each has the rights of those before it."""
FAMILIES = {
    "instance-family": {
        "app-catalog-listing", "console-histories", "instances", "instance-console-connection", "instance-images",
        "volume-attachments",
    },
    "compute-management-family": {"cluster-networks", "instance-configurations", "instance-pools"},
    "virtual-network-family": {
        "vcns", "subnets", "route-tables", "network-security-groups", "security-lists", "dhcp-options", "private-ips",
        "public-ips", "internet-gateways", "nat-gateways", "service-gateways", "local-peering-gateways", "drgs", "cpes",
        "ipsec-connections", "vnics", "vnic-attachments", "vlans",
    },
    "lustre-file-family": {"lustre-file-systems", "object-storage-links"},
    "bastion-family": {"bastion", "bastion-session"},
}  # fmt: skip
STATEMENT = re.compile(
    r"Allow group GROUP to (?:(?P<verb>\w+) (?P<what>[\w-]+)|\{[A-Z_, ]+\}) in compartment id COMPARTMENT"
)


def statements(name: str) -> list[str]:
    found: list[str] = json.loads((FOLDER / f"{name}.json").read_text())["statements"]
    return found


def allows(name: str, verb: str, what: str, compartment: str = "COMPARTMENT") -> bool:
    """Of a group with the statements of an identity; single permissions in braces are not what is asked for here."""
    for text in statements(name):
        read = STATEMENT.fullmatch(text)
        assert read, f"not in the part that is known: {text}"
        if read["verb"] and compartment == "COMPARTMENT":
            covers = what == read["what"] or what in FAMILIES.get(read["what"], ())
            if covers and VERBS.index(verb) <= VERBS.index(read["verb"]):
                return True
    return False


NEEDS = {
    "Bastion/bastion:Bastion": "bastion",
    "Core/clusterNetwork:ClusterNetwork": "cluster-networks",
    "Core/computeCluster:ComputeCluster": "compute-clusters",
    "Core/instance:Instance": "instances",
    "Core/instanceConfiguration:InstanceConfiguration": "instance-configurations",
    "Core/instancePool:InstancePool": "instance-pools",
    "Core/natGateway:NatGateway": "nat-gateways",
    "Core/networkSecurityGroup:NetworkSecurityGroup": "network-security-groups",
    "Core/networkSecurityGroupSecurityRule:NetworkSecurityGroupSecurityRule": "network-security-groups",
    "Core/routeTable:RouteTable": "route-tables",
    "Core/securityList:SecurityList": "security-lists",
    "Core/subnet:Subnet": "subnets",
    "Core/vcn:Vcn": "vcns",
    "Lustre/fileStorageLustreFileSystem:FileStorageLustreFileSystem": "lustre-file-systems",
}


@pytest.mark.parametrize("service", ["cluster", "hosts"])
def test_everything_that_up_and_destroy_ask_for_is_allowed(
    service: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cases.run(VIEW, cases.planned(cases.example(f"oci-{service}")), monkeypatch).run
    types = {one.typ.removeprefix("oci:") for one in run.declared if one.typ.startswith("oci:")}
    kinds = {NEEDS[typ] for typ in types} | {"bastion-session", "compute-clusters"}
    assert [kind for kind in sorted(kinds) if not allows("apply", "manage", kind)] == []
    assert allows("apply", "inspect", "compartments") and allows(
        "apply", "use", "compute-capacity-reservations"
    )


ESCALATIONS = {
    "one's own policy": ("manage", "policies"),
    "a group joined": ("use", "groups"),
    "a user made": ("manage", "users"),
    "keys of another user": ("manage", "api-keys"),
    "instances that act for themselves": ("manage", "dynamic-groups"),
    "a domain of identities": ("manage", "domains"),
    "a compartment moved": ("manage", "compartments"),
    "a tag that others' policies ask for": ("manage", "tag-namespaces"),
    "a command on an instance": ("manage", "instance-agent-commands"),
    "a function with rights of its own": ("manage", "fn-function"),
    "a stack of the resource manager": ("manage", "orm-stacks"),
    "secrets": ("read", "secret-bundles"),
    "keys": ("use", "keys"),
    "objects": ("read", "objects"),
    "quotas": ("manage", "quotas"),
    "everything": ("inspect", "all-resources"),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    for name in IDENTITIES:
        assert not allows(name, *ESCALATIONS[what])


@pytest.mark.parametrize("what", ["instances", "vcns", "lustre-file-systems", "bastion-session"])
def test_nothing_outside_the_compartment_is_reached(what: str) -> None:
    assert allows("apply", "manage", what)
    assert not any(allows(name, "inspect", what, "ANOTHER") for name in IDENTITIES)


@pytest.mark.parametrize("who", IDENTITIES)
def test_identities_are_bound_to_one_compartment_and_never_to_everything(who: str) -> None:
    assert all(STATEMENT.fullmatch(one) for one in statements(who))
    assert "all-resources" not in " ".join(statements(who))
    if who in ("plan", "validate"):
        changing = [one for one in statements(who) if " manage " in one or " use " in one or "{" in one]
        assert [one for one in changing if "bastion-session" not in one] == []


def test_the_program_makes_no_identity(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = cases.run(VIEW, cases.planned(cases.example("oci-cluster")), monkeypatch).run
    assert [one.typ for one in run.declared if one.typ.startswith("oci:Identity")] == []
