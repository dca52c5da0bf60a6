"""Users and tenants: from the plan to the contract, the same on every platform."""

from __future__ import annotations

from railbed.contract import tenancy
from railbed.plan import ClusterPlan
from railbed.spec.tenancy import FIRST_GID, GID_COUNT, Project, Tenant, id_of


def of(plan: ClusterPlan) -> tenancy.Tenancy | None:
    """Who uses the cluster; None where the spec names nobody."""
    if not (plan.users or plan.tenants or plan.user_ca):
        return None
    return tenancy.Tenancy(
        users={
            login: tenancy.User(uid=user.uid_of(login), keys=user.keys) for login, user in plan.users.items()
        },
        tenants=[_tenant(plan, one) for one in plan.tenants],
        user_ca=plan.user_ca,
    )


def _tenant(plan: ClusterPlan, one: Tenant) -> tenancy.Tenant:
    limits = one.limits
    return tenancy.Tenant(
        name=one.name, gid=id_of(one.name, FIRST_GID, GID_COUNT), members=one.members,
        directory_group=one.directory_group or "", share=one.share, priority=one.priority, gpus=limits.gpus,
        gpus_per_user=limits.gpus_per_user,
        gpu_minutes=None if limits.gpu_hours is None else limits.gpu_hours * 60,
        job_minutes=None if limits.job_hours is None else limits.job_hours * 60,
        pools=one.pools, project=_project(plan, one.name, one.project) if one.project else None,
    )  # fmt: skip


def _project(plan: ClusterPlan, name: str, project: Project) -> tenancy.Project:
    filesystem = next(one for one in plan.filesystems if one.name == project.filesystem)
    return tenancy.Project(
        kind=filesystem.kind, mount=filesystem.mount, path=f"{filesystem.mount}/{project.path}/{name}",
        quota_bytes=(project.quota_gib or 0) * 1024**3,
    )  # fmt: skip
