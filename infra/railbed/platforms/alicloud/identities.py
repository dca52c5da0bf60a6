"""Who may do what: roles for repair and validate, and the policy documents of all four identities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi_alicloud import ram

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import documents
from railbed.platforms.cloud.tags import plain, tags
from railbed.spec.platforms import AlicloudPlatform

FOLDER = Path(__file__).with_name("identities")
OPERATORS = ("repair", "validate")
"""Made as roles. `plan` and `apply` must be there before the first `up`: their documents are for whoever gives out rights
in the account."""
MAX_NAME = 64
"""Of a role or policy."""


def document(name: str, cluster: str, region: str, account: str) -> dict[str, Any]:
    """The policy document of an identity (plan, apply, repair, validate) for one cluster."""
    return documents.document(FOLDER, name, cluster, region, account)


def roles(plan: ClusterPlan, place: AlicloudPlatform, stack: str, opts: pulumi.ResourceOptions) -> None:
    """Roles that people and programs of the account take on, as far as its own policies let them."""
    statement = {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": [f"acs:ram::{place.account}:root"]},
    }  # fmt: skip
    trust = json.dumps({"Version": "1", "Statement": [statement]})
    for name in OPERATORS:
        suffix = f"-{name}"
        called = f"railbed-{plan.name}"[: MAX_NAME - len(suffix)] + suffix
        role = ram.Role(
            f"role-{name}",
            role_name=called,
            description=f"railbed {plan.name}: {name}",
            assume_role_policy_document=trust,
            tags=tags(plan, stack),
            opts=opts,
        )
        policy = ram.Policy(
            f"role-{name}",
            policy_name=called,
            description=f"railbed {plan.name}: {name}",
            policy_document=json.dumps(document(name, plain(plan.name), place.region, place.account)),
            tags=tags(plan, stack),
            opts=opts,
        )
        ram.RolePolicyAttachment(
            f"role-{name}",
            role_name=role.role_name,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=opts,
        )
