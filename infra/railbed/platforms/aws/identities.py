"""Who may do what: the nodes' own role, and roles for repair and validate.

Every role carries the cluster's permissions boundary: whoever runs `up` may make roles only below it, and may not change it.
"""

from __future__ import annotations

import json

import pulumi
from pulumi_aws import iam

from railbed.platforms.aws import policies
from railbed.platforms.aws.scope import Scope

OPERATORS = ("repair", "validate")
"""Identities that are made as roles. The documents of plan and apply are for whoever gives out rights in the account."""


def node_profile(scope: Scope) -> pulumi.Output[str]:
    """Name of the nodes' instance profile: Session Manager and nothing else."""
    role = _role(scope, "node", {"Service": "ec2.amazonaws.com"})
    profile = iam.InstanceProfile(
        "node",
        role=role.name,
        path=policies.path(tag_value(scope)),
        tags=scope.named("node"),
        opts=scope.options(),
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
    cluster, place = tag_value(scope), scope.place
    role = iam.Role(
        name,
        path=policies.path(cluster),
        permissions_boundary=policies.boundary(place.account, cluster),
        description=f"railbed {scope.plan.name}: {name}",
        assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        tags=scope.named(name),
        opts=scope.options(),
    )
    policy = policies.document(name, cluster, place.region, place.account)
    iam.RolePolicy(name, role=role.name, policy=json.dumps(policy), opts=scope.options())
    return role


def tag_value(scope: Scope) -> str:
    """The value of the tag `railbed-cluster`, by which the documents select this cluster's resources."""
    return scope.named("")["railbed-cluster"]
