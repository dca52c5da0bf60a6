"""What users and tenants must satisfy beyond their types. One person may be in several tenants; the first is the default."""

from __future__ import annotations

from railbed import catalog
from railbed.errors import SpecError
from railbed.spec.cluster import ClusterSpec
from railbed.spec.problems import key_path
from railbed.spec.system_accounts import SCHEDULER_NAMES, SERVICE_GROUPS, SERVICE_LOGINS
from railbed.spec.tenancy import FIRST_GID, GID_COUNT, Project, Tenant, id_of

WITH_QUOTAS = ("moosefs",)
"""Kinds of filesystems whose quotas railbed sets."""


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that ``users`` and ``tenants`` deserve."""
    if (spec.users or spec.tenants) and spec.scheduler != "slurm":
        raise SpecError(
            f"users and tenants share a cluster through Slurm, and the scheduler is {spec.scheduler}",
            path=key_path(where, ["tenants" if spec.tenants else "users"]), found=spec.scheduler, allowed="slurm",
            hint="take scheduler: slurm, or remove them", code="TENANT_SCHEDULER",
        )  # fmt: skip
    _users(spec, where)
    names: dict[str, int] = {}
    groups: dict[int, str] = {}
    for index, tenant in enumerate(spec.tenants):
        at = key_path(where, ["tenants", index])
        if names.setdefault(tenant.name, index) != index:
            raise SpecError(
                f"two tenants have the name {tenant.name!r}", path=f"{at}.name", found=tenant.name, allowed="each once",
                hint=f"rename one; tenants[{names[tenant.name]}] has it too", code="SPEC_DUPLICATE",
            )  # fmt: skip
        gid = id_of(tenant.name, FIRST_GID, GID_COUNT)
        if groups.setdefault(gid, tenant.name) != tenant.name:
            raise SpecError(
                f"tenants {groups[gid]} and {tenant.name} would have the same group id", path=f"{at}.name",
                found=gid, allowed="an id of its own, which follows from the name", hint="rename one of them",
                code="TENANT_ID",
            )  # fmt: skip
        _tenant(spec, tenant, at)


def _users(spec: ClusterSpec, where: str) -> None:
    taken: dict[int, str] = {}
    admins = sorted(set(spec.access.admins) & set(spec.users))
    if admins:
        raise SpecError(
            f"{admins[0]} is an admin, who has an account already", path=key_path(where, ["users", admins[0]]),
            found=admins, allowed="logins that are not in access.admins",
            hint="remove it from users; a tenant's members may name admins", code="USER_ADMIN",
        )  # fmt: skip
    for login, user in spec.users.items():
        at = key_path(where, ["users", login])
        if login in SERVICE_LOGINS or login in SERVICE_GROUPS:
            raise SpecError(
                f"{login} is an account or a group of the system", path=at, found=login,
                allowed="a person's own login name", hint="use the person's name", code="USER_RESERVED",
            )  # fmt: skip
        if not user.keys and not spec.access.user_ca:
            raise SpecError(
                f"{login} has no key and could never log in", path=f"{at}.keys",
                allowed="a public key, or access.user_ca for certificates", hint="add a key", code="USER_KEYS",
            )  # fmt: skip
        uid = user.uid_of(login)
        if taken.setdefault(uid, login) != login:
            raise SpecError(
                f"{taken[uid]} and {login} would have the same user id", path=f"{at}.uid", found=uid,
                allowed="an id of their own", hint=f"give one of them another: `uid: {uid + 1}`", code="USER_ID",
            )  # fmt: skip


def _tenant(spec: ClusterSpec, tenant: Tenant, at: str) -> None:
    reserved = {*SERVICE_LOGINS, *SERVICE_GROUPS, *SCHEDULER_NAMES}
    if tenant.name in reserved or tenant.name in spec.users or tenant.name in spec.access.admins:
        raise SpecError(
            f"the name {tenant.name} is an account's or a group's already", path=f"{at}.name", found=tenant.name,
            allowed="neither a login, nor an account or group of the system or of Slurm",
            hint="choose another name, e.g. the team's with -team behind it", code="TENANT_RESERVED",
        )  # fmt: skip
    _members(spec, tenant, at)
    pools = {pool.name: pool for pool in spec.pools}
    for index, name in enumerate(tenant.pools):
        if name not in pools:
            near = catalog.nearest(name, list(pools))
            raise SpecError(
                f"tenant {tenant.name} would run in a pool that the spec does not have", path=f"{at}.pools[{index}]",
                found=name, allowed=sorted(pools), hint=f"did you mean {near}?" if near else "name one of those",
                code="TENANT_POOL",
            )  # fmt: skip
    _limits(spec, tenant, at)
    if tenant.project is not None:
        _project(spec, tenant.project, f"{at}.project")


def _members(spec: ClusterSpec, tenant: Tenant, at: str) -> None:
    if not tenant.members and tenant.directory_group is None:
        raise SpecError(
            f"tenant {tenant.name} has no members", path=f"{at}.members", allowed="members, directory_group, or both",
            hint="name its members", code="TENANT_USER",
        )  # fmt: skip
    if tenant.directory_group is not None and spec.site.directory is None:
        raise SpecError(
            f"tenant {tenant.name} names a group of a directory, and there is none", path=f"{at}.directory_group",
            found=tenant.directory_group, allowed="with `site.directory` only",
            hint="add site.directory, or name the members", code="TENANT_GROUP",
        )  # fmt: skip
    known = {*spec.users, *spec.access.admins}
    for index, login in enumerate(tenant.members):
        if login in tenant.members[:index]:
            raise SpecError(
                f"{login} is named twice", path=f"{at}.members[{index}]", found=login, allowed="each once",
                hint="remove one", code="SPEC_DUPLICATE",
            )  # fmt: skip
        # Who is in the directory is known to the nodes only, and asked before anything is changed in the scheduler.
        if login not in known and (spec.site.directory is None or login in SERVICE_LOGINS):
            near = catalog.nearest(login, sorted(known))
            raise SpecError(
                f"{login} of tenant {tenant.name} is nobody's login", path=f"{at}.members[{index}]", found=login,
                allowed="a login of users or access.admins; of others with site.directory only",
                hint=f"did you mean {near}?" if near else f"add {login} to users", code="TENANT_USER",
            )  # fmt: skip


def _limits(spec: ClusterSpec, tenant: Tenant, at: str) -> None:
    own = [pool for pool in spec.pools if not tenant.pools or pool.name in tenant.pools]
    there = sum(pool.nodes * catalog.load_machine(pool.machine).gpus for pool in own)
    limits = tenant.limits
    for name, wanted in (("gpus", limits.gpus), ("gpus_per_user", limits.gpus_per_user)):
        most = min(there, limits.gpus or there) if name == "gpus_per_user" else there
        if wanted is not None and wanted > most:
            raise SpecError(
                f"tenant {tenant.name} may take {wanted} GPUs, and "
                + (f"its pools have {there} without spares" if most == there else f"all its jobs together {most}"),
                path=f"{at}.limits.{name}", found=wanted, allowed=f"≤ {most}",
                hint="lower it, or leave it out for no limit", code="TENANT_LIMIT",
            )  # fmt: skip


def _project(spec: ClusterSpec, project: Project, at: str) -> None:
    named = {one.name: one for one in spec.filesystems}
    if project.filesystem not in named:
        raise SpecError(
            "a project directory on a filesystem that the spec does not have", path=f"{at}.filesystem",
            found=project.filesystem, allowed=sorted(named) or "a filesystem of the spec, and it has none",
            hint="name one of `filesystems`, or add it there", code="TENANT_FILESYSTEM",
        )  # fmt: skip
    kind = str(catalog.load_filesystem(named[project.filesystem].offer).kind)
    if project.quota_gib is None:
        return
    if kind not in WITH_QUOTAS:
        raise SpecError(
            f"this release sets no quota on {kind}", path=f"{at}.quota_gib", found=project.quota_gib,
            allowed=f"none, or a filesystem of kind {', '.join(WITH_QUOTAS)}",
            hint="leave quota_gib out, and set it with the filesystem's own tools", code="TENANT_QUOTA",
        )  # fmt: skip
    size_gib = named[project.filesystem].capacity_tib * 1024
    if project.quota_gib > size_gib:
        raise SpecError(
            f"the quota is above what the whole filesystem has, {size_gib:g} GiB", path=f"{at}.quota_gib",
            found=project.quota_gib, allowed=f"≤ {size_gib:g}", hint="lower it", code="TENANT_QUOTA",
        )  # fmt: skip
