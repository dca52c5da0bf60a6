"""The identities of repair and validate: a role and a managed identity each, assigned on this cluster's machines only.

The roles of plan and apply are for people and CI, and exist before the program does: identities/*.json are files for
``az role definition create``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi_azure_native import authorization, managedidentity

from railbed.platforms.azure.scope import Scope

FOLDER = Path(__file__).with_name("identities")
IDENTITIES = ("plan", "apply", "repair", "validate")


def role(name: str) -> dict[str, Any]:
    """A role definition, in Azure's own form; its ``AssignableScopes`` stands for the subscription."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def operators(scope: Scope, machines: dict[str, pulumi.Output[str]]) -> None:
    """Makes both. ``machines``: name → id of what holds the nodes; nothing else of the subscription is theirs."""
    whole = f"/subscriptions/{scope.place.account}"
    for name in ("repair", "validate"):
        wanted = role(name)
        made = authorization.RoleDefinition(
            name,
            scope=whole,
            role_name=f"railbed {scope.plan.name} {scope.stack} {name}",
            role_type="CustomRole",
            description=wanted["Description"],
            assignable_scopes=[whole],
            permissions=[{"actions": wanted["Actions"], "not_actions": []}],
            opts=scope.options,
        )
        account = managedidentity.UserAssignedIdentity(
            name,
            resource_group_name=scope.group,
            location=scope.place.region,
            tags=scope.tags(identity=name),
            opts=scope.options,
        )
        for machine, at in machines.items():
            authorization.RoleAssignment(
                f"{name}-{machine}",
                scope=at,
                principal_id=account.principal_id,
                principal_type="ServicePrincipal",
                role_definition_id=made.id,
                opts=scope.options,
            )
