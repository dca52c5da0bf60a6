"""What a user should know of tenants in a plan."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.plan.parts import Warned
from railbed.spec import ClusterSpec


def warnings(spec: ClusterSpec, where: str) -> Iterator[Warned]:
    """Warnings about users and tenants; ``where`` begins their paths."""
    first: dict[str, str] = {}
    for index, tenant in enumerate(spec.tenants):
        for login in tenant.members:
            if (default := first.setdefault(login, tenant.name)) != tenant.name:
                message = (
                    f"{login} is a member of {default} and of {tenant.name}: jobs without --account are {default}'s, the first "
                    "of the list"
                )
                yield Warned(
                    code="TENANT_SHARED_MEMBER", path=f"{where}.tenants[{index}].members", message=message
                )
        if (
            tenant.directory_group
            and spec.site.directory
            and tenant.directory_group not in spec.site.directory.groups
        ):
            message = (
                f"group {tenant.directory_group} is not one of `site.directory.groups`: its members have an account of the "
                "scheduler and cannot log in"
            )
            yield Warned(
                code="TENANT_NO_LOGIN", path=f"{where}.tenants[{index}].directory_group", message=message
            )
    idle = sorted(set(spec.users) - {login for tenant in spec.tenants for login in tenant.members})
    if idle and spec.tenants:
        message = f"{', '.join(idle[:8])} can log in and run nothing: no tenant has them as members"
        yield Warned(code="USER_WITHOUT_TENANT", path=f"{where}.users", message=message)
