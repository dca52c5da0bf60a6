"""The identities of repair and validate: a custom role and a service account each, held to this stack's instances.

The roles of plan and apply are for people and CI, and exist before the program does: identities/*.json are files for
``gcloud iam roles create``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi_gcp as gcp

from railbed.platforms.gcp import names
from railbed.platforms.gcp.fabric import Context

FOLDER = Path(__file__).with_name("identities")
IDENTITIES = ("plan", "apply", "repair", "validate")
INSTANCE = "compute.googleapis.com/Instance"


def role(name: str) -> dict[str, Any]:
    """A custom role, in Google's own form."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def condition(context: Context) -> str:
    """Only this stack's instances. Conditions know no labels of instances, so it is the beginning of their names."""
    start = (
        f"projects/{context.place.account}/zones/{context.place.zone}/instances/"
        f"{names.prefix(context.plan, context.stack)}"
    )
    return f'resource.type != "{INSTANCE}" || resource.name.startsWith("{start}")'


def operators(context: Context) -> None:
    """Makes both. Who may act as them is granted by hand (roles/iam.serviceAccountTokenCreator)."""
    for name in ("repair", "validate"):
        wanted = role(name)
        made = gcp.projects.IAMCustomRole(
            name,
            # A deleted role's id stays taken for weeks.
            role_id=f"railbed_{names.mark(context.plan, context.stack)}_{name}",
            title=wanted["title"],
            description=wanted["description"],
            permissions=wanted["includedPermissions"],
            opts=context.options,
        )
        account = gcp.serviceaccount.Account(
            name,
            account_id=f"rb-{names.mark(context.plan, context.stack)}-{name}",
            display_name=f"railbed {context.plan.name}: {name}",
            opts=context.options,
        )
        gcp.projects.IAMMember(
            name,
            project=context.place.account,
            role=made.name,
            member=account.member,
            condition={"title": "this cluster's instances", "expression": condition(context)},
            opts=context.options,
        )
