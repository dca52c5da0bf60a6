"""Users and tenants of the contract as variables of all hosts. Pure."""

from __future__ import annotations

from typing import Any

from railbed.contract import Contract


def variables(contract: Contract) -> dict[str, Any]:
    """Accounts, groups, tenants of the scheduler and project directories; empty where only admins use the cluster."""
    known = contract.tenancy
    tenants = known.tenants if known else []
    return {
        "railbed_users": {login: user.model_dump(mode="json") for login, user in known.users.items()}
        if known
        else {},
        "railbed_user_ca": list(known.user_ca) if known else [],
        "railbed_tenants": [{"name": one.name, "pools": list(one.pools)} for one in tenants],
        "railbed_tenant_groups": {
            one.name: {"gid": one.gid, "members": sorted(one.members), "group": one.directory_group}
            for one in tenants
        },
        "railbed_projects": [
            {"group": one.name, **one.project.model_dump(mode="json")} for one in tenants if one.project
        ],
    }
