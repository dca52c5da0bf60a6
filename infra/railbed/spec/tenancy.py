"""People who use the cluster and the tenants that share it: accounts, keys, shares, limits, project directories."""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field

from railbed.spec.model import SpecModel
from railbed.spec.scalars import Login, Name, PublicKey
from railbed.spec.site import DirectoryGroup

FIRST_UID, UID_COUNT = 10_000, 50_000
"""As role users: an id follows from the name alone, so that every node and every later cluster has the same one."""
FIRST_GID, GID_COUNT = 70_000, 30_000
"""Groups of tenants: above people's ids and systemd's (61184 to 65519), below subordinate ids (100000, login.defs)."""

TenantName = Annotated[str, Field(max_length=31, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")]
"""Of an account and a QOS of Slurm, and of a group of the hosts: lower case, as Slurm stores it."""


def id_of(name: str, first: int, count: int) -> int:
    """The user or group id that follows from a name."""
    return int(hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:6], 16) % count + first


class User(SpecModel):
    """One person who uses the cluster: an account on controllers and on nodes that run jobs, without sudo."""

    keys: list[PublicKey] = Field(default=[], max_length=16)
    """Public SSH keys; may be empty where ``access.user_ca`` signs certificates for the login."""
    uid: Annotated[int, Field(ge=FIRST_UID, lt=FIRST_UID + UID_COUNT)] | None = None
    """User id, where the one that follows from the name is another's."""

    def uid_of(self, login: str) -> int:
        """Its user id, the same on every node."""
        return self.uid if self.uid is not None else id_of(login, FIRST_UID, UID_COUNT)


class TenantLimits(SpecModel):
    """Most that a tenant takes; what is not said is not limited."""

    gpus: Annotated[int, Field(ge=1, le=16 * 65_536)] | None = None
    """GPUs of all its running jobs together."""
    gpus_per_user: Annotated[int, Field(ge=1, le=16 * 65_536)] | None = None
    """GPUs of the running jobs of one member."""
    gpu_hours: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """GPU-hours in all. They are used up for good; a larger number gives more."""
    job_hours: Annotated[int, Field(ge=1, le=8760)] | None = None
    """Longest time of one job, hours."""


class Project(SpecModel):
    """A directory of the tenant's own on a shared filesystem: its group's, mode 2770; never removed."""

    filesystem: Name
    """Name of one of ``filesystems``."""
    path: Annotated[
        str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")
    ] = "projects"
    """Folder below its mount that holds the directories; the tenant's has the tenant's name."""
    quota_gib: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None
    """Most that the directory may hold, GiB; without it as much as the filesystem has."""


class Tenant(SpecModel):
    """One team: an account of the scheduler with its share and limits, a group, a project directory."""

    name: TenantName
    """Lower case; also the name of its account, QOS and group."""
    members: list[Login] = Field(default=[], max_length=4096)
    """Logins of ``users``, of admins, or of the site's directory. Who is in several tenants has the first one as default."""
    directory_group: DirectoryGroup | None = None
    """Group of the site's directory whose members are members too."""
    share: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Fair share, beside those of the other tenants."""
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Priority of its jobs' QOS; more starts earlier."""
    limits: TenantLimits = TenantLimits()
    """Most that it takes."""
    pools: list[Name] = Field(default=[], max_length=64)
    """Pools in which its jobs run, each with a partition of its name; empty: all, in the partition of all nodes."""
    project: Project | None = None
    """Its directory."""
