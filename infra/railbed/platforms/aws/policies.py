"""The policy documents of all identities on AWS, and the names by which they hold each other. No SDK is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from railbed.platforms.cloud import documents

FOLDER = Path(__file__).with_name("identities")
DOCUMENTS = ("plan", "apply", "apply_roles", "repair", "validate", "node", "boundary")
APPLY = ("plan", "apply", "apply_roles", "validate")
"""What whoever runs `up` gets, together: one managed policy has 6,144 characters at most (IAM User Guide, "IAM and AWS STS
quotas")."""


def document(name: str, cluster: str, region: str, account: str) -> dict[str, Any]:
    """The policy document of that name (one of DOCUMENTS) for one cluster."""
    return documents.document(FOLDER, name, cluster, region, account)


def path(cluster: str) -> str:
    """IAM path of everything that a cluster makes: the documents hold `up` to it."""
    return f"/railbed/{cluster}/"


def boundary(account: str, cluster: str) -> str:
    """ARN of the permissions boundary of the cluster's roles; an administrator makes it before the first `up`."""
    return f"arn:aws:iam::{account}:policy/railbed-{cluster}-boundary"
