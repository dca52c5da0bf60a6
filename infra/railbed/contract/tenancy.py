"""Users and tenants in the contract: who has an account, and what each tenant gets. Public keys, never a secret."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import scalars

TenantName = Annotated[str, Field(max_length=31, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")]
"""Also of its account, QOS and group."""


class User(FrozenModel):
    """An account without sudo."""

    uid: int
    keys: list[scalars.PublicKey]


class Project(FrozenModel):
    """A directory of a tenant's."""

    kind: scalars.Word
    """Of the filesystem."""
    mount: scalars.Path
    path: scalars.Path
    """Of the directory, below the mount."""
    quota_bytes: int
    """Most that it may hold; 0: not limited."""


class Tenant(FrozenModel):
    """Limits that are None are none."""

    name: TenantName
    gid: int
    members: list[scalars.Login]
    directory_group: scalars.DirectoryGroupOrNone
    """Empty: none."""
    share: int
    priority: int
    gpus: int | None
    gpus_per_user: int | None
    gpu_minutes: int | None
    job_minutes: int | None
    pools: list[scalars.Name]
    """Empty: all."""
    project: Project | None


class Tenancy(FrozenModel):
    """Who uses the cluster."""

    users: dict[scalars.Login, User]
    tenants: list[Tenant]
    user_ca: list[scalars.PublicKey]
    """Authorities whose SSH certificates let users in."""
