"""Who may do what: the nodes' own role, roles for repair and validate, and the documents of all four identities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi_aws import iam

from railbed.platforms.aws.scope import Scope
from railbed.platforms.cloud import documents

FOLDER = Path(__file__).with_name("identities")
OPERATORS = ("repair", "validate")
"""Identities that are made as roles; plan and apply must be there before the first `up`: their documents are for whoever
gives out rights in the account."""
IAM_PATH = "/railbed/"


def document(name: str, cluster: str, region: str, account: str) -> dict[str, Any]:
    """The policy document of an identity (plan, apply, repair, validate, node) for one cluster."""
    return documents.document(FOLDER, name, cluster, region, account)


def node_profile(scope: Scope) -> pulumi.Output[str]:
    """Name of the nodes' instance profile: Session Manager and nothing else."""
    role = _role(scope, "node", {"Service": "ec2.amazonaws.com"})
    profile = iam.InstanceProfile(
        "node", role=role.name, path=IAM_PATH, tags=scope.tags("node"), opts=scope.options()
    )
    name: pulumi.Output[str] = profile.name
    return name


def operators(scope: Scope) -> None:
    """Roles that people and programs of the same account take on, as far as its own policies let them."""
    trusted = {"AWS": f"arn:aws:iam::{scope.place.account}:root"}
    for name in OPERATORS:
        _role(scope, name, trusted)


def _role(scope: Scope, name: str, trusted: dict[str, str]) -> iam.Role:
    statement = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
    role = iam.Role(
        name,
        path=IAM_PATH,
        description=f"railbed {scope.plan.name}: {name}",
        assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        tags=scope.tags(name),
        opts=scope.options(),
    )
    policy = document(name, tag_value(scope), scope.place.region, scope.place.account)
    iam.RolePolicy(name, role=role.name, policy=json.dumps(policy), opts=scope.options())
    return role


def tag_value(scope: Scope) -> str:
    """The value of the tag `railbed-cluster`, by which the documents tell this cluster's nodes."""
    return scope.tags("")["railbed-cluster"]
