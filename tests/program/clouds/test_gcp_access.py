"""What the identities on Google Cloud can do and cannot: all that `up` and `destroy` ask for, and the known ways to more rights.

A custom role is a list of permissions without patterns (Google Cloud, "IAM roles and permissions"), and we bind ours without
conditions: what is not listed is refused. The ways to more rights are those that Google's own documentation warns of
("Predefined roles: privilege escalation"), and published ones.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.program.clouds import cases
from tests.program.clouds.gcp_view import VIEW

from railbed.platforms.gcp import names

pytestmark = pytest.mark.simulated
FOLDER = cases.ROOT / "infra/railbed/platforms/gcp/identities"
IDENTITIES = ("plan", "apply", "repair", "validate")
LOGIN = "iap.tunnelInstances.accessViaIAP"


def role(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def may_up(permission: str) -> bool:
    """Of whoever runs `up`: `apply`, and `validate` for logins."""
    return any(permission in role(name)["includedPermissions"] for name in ("apply", "validate"))


def made(service: str, *more: str, verbs: tuple[str, ...] = ("create", "get", "delete")) -> list[str]:
    return [f"{service}.{verb}" for verb in verbs] + list(more)


NEEDS = {
    "compute/firewall:Firewall": made("compute.firewalls", "compute.firewalls.update", "compute.networks.updatePolicy"),
    "compute/globalAddress:GlobalAddress": made(
        "compute.globalAddresses", "compute.globalAddresses.setLabels", "compute.networks.use",
        verbs=("createInternal", "get", "deleteInternal"),
    ),
    "compute/instance:Instance": made(
        "compute.instances", "compute.instances.setLabels", "compute.instances.setMetadata", "compute.instances.setTags",
        "compute.disks.create", "compute.disks.setLabels", "compute.images.useReadOnly", "compute.subnetworks.use",
    ),
    "compute/instanceGroupManager:InstanceGroupManager": made(
        "compute.instanceGroupManagers", "compute.instanceGroupManagers.update", "compute.instanceTemplates.useReadOnly",
        "compute.resourcePolicies.use",
    ),
    "compute/instanceTemplate:InstanceTemplate": made("compute.instanceTemplates"),
    "compute/network:Network": made("compute.networks", "compute.networks.update"),
    "compute/resourcePolicy:ResourcePolicy": made("compute.resourcePolicies"),
    "compute/router:Router": made("compute.routers", "compute.networks.updatePolicy"),
    "compute/routerNat:RouterNat": ["compute.routers.update"],
    "compute/subnetwork:Subnetwork": made("compute.subnetworks", "compute.subnetworks.update"),
    "lustre/instance:Instance": made("lustre.instances", "lustre.instances.update", "lustre.operations.get"),
    "servicenetworking/connection:Connection": ["servicenetworking.services.addPeering", "servicenetworking.services.get"],
}  # fmt: skip
"""Type of the program → the permissions that its methods name (Compute Engine API reference, "IAM Permissions")."""
LOOKS = (
    "compute.instanceGroupManagers.get", "compute.instances.get", "compute.instances.getGuestAttributes", LOGIN,
)  # fmt: skip


@pytest.mark.parametrize("service", ["cluster", "hosts"])
def test_everything_that_up_and_destroy_ask_for_is_allowed(
    service: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = cases.planned(cases.example(f"gcp-{service}"))
    run = cases.run(VIEW, plan, monkeypatch).run
    types = {one.typ.removeprefix("gcp:") for one in run.declared if one.typ.startswith("gcp:")}
    needed = {permission for typ in types for permission in NEEDS[typ]} | set(LOOKS)
    assert sorted(permission for permission in needed if not may_up(permission)) == []


ESCALATIONS = {
    "a role for oneself": "resourcemanager.projects.setIamPolicy",
    "one's own role is widened": "iam.roles.update",
    "a new role": "iam.roles.create",
    "a service account is acted as": "iam.serviceAccounts.actAs",
    "a token of a service account": "iam.serviceAccounts.getAccessToken",
    "a signature of a service account": "iam.serviceAccounts.signBlob",
    "a key of a service account": "iam.serviceAccountKeys.create",
    "a new service account": "iam.serviceAccounts.create",
    "a service account is given to somebody": "iam.serviceAccounts.setIamPolicy",
    "another service account on a VM": "compute.instances.setServiceAccount",
    "rights on a VM": "compute.instances.setIamPolicy",
    "root by OS Login": "compute.instances.osAdminLogin",
    "SSH keys of the whole project": "compute.projects.setCommonInstanceMetadata",
    "rights on tunnels": "iap.tunnelInstances.setIamPolicy",
    "a serial console": "compute.instances.getSerialPortOutput",
    "a disk is copied": "compute.disks.createSnapshot",
    "a disk is shared": "compute.disks.setIamPolicy",
    "a disk of another VM": "compute.instances.attachDisk",
    "an image is shared": "compute.images.setIamPolicy",
    "a VM by a deployment": "deploymentmanager.deployments.create",
    "a build with its service account": "cloudbuild.builds.create",
    "a function with its service account": "cloudfunctions.functions.create",
    "a rule of the organisation": "orgpolicy.policy.set",
    "another service is turned on": "serviceusage.services.enable",
    "the project is deleted": "resourcemanager.projects.delete",
    "objects are read": "storage.objects.get",
    "secrets are read": "secretmanager.versions.access",
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_escalations_are_refused(what: str) -> None:
    assert not may_up(ESCALATIONS[what])


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_name_single_permissions(name: str) -> None:
    assert set(role(name)) == {"title", "description", "stage", "includedPermissions"}
    listed = role(name)["includedPermissions"]
    assert listed == sorted(set(listed))
    assert all(re.fullmatch(r"[a-z]+\.[A-Za-z]+\.[A-Za-z]+", one) for one in listed)
    changing = re.compile(r"\.(create|delete|update|set|reset|add|remove|use)")
    changes = [one for one in listed if changing.search(one)]
    allowed = {"plan": [], "validate": [], "repair": ["compute.instances.delete", "compute.instances.reset"]}
    assert changes == allowed.get(name, changes)


@pytest.mark.parametrize("name", IDENTITIES)
def test_no_identity_gives_out_rights(name: str) -> None:
    """Nor does it sign in as somebody else."""
    wrong = re.compile(r"^iam\.|IamPolicy|setServiceAccount|AdminLogin")
    assert [one for one in role(name)["includedPermissions"] if wrong.search(one)] == []


def test_the_program_makes_no_identity(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = cases.run(VIEW, cases.planned(cases.example("gcp-cluster")), monkeypatch).run
    giving = re.compile(r"iAM|iam|serviceaccount", re.I)
    assert [one.typ for one in run.declared if giving.search(one.typ)] == []


def test_operators_of_a_shared_project_are_held_to_this_stack_s_instances(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = cases.planned(cases.example("gcp-cluster"))
    run = cases.run(VIEW, plan, monkeypatch).run
    text = (FOLDER / "operator_condition.txt").read_text()
    for word, value in (
        ("PROJECT", plan.place.account),
        ("ZONE", plan.place.zone),
        ("MARK", names.mark(plan, cases.STACK)),
    ):  # type: ignore[union-attr]
        text = text.replace(word, value)
    (start,) = re.findall(r'startsWith\("projects/[^"]*/instances/(.*?)"\)', text)
    bases = [one.inputs["baseInstanceName"] for one in run.of(":InstanceGroupManager")]
    named = [one.inputs["name"] for one in run.declared if one.typ == "gcp:compute/instance:Instance"]
    assert bases and named and all(one.startswith(start) for one in [*bases, *named])
    assert text.startswith('resource.type != "compute.googleapis.com/Instance" || ')
