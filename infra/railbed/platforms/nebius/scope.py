"""The scope of a cluster on Nebius: the spec's project, looked up before anything is made."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_nebius as nebius

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.spec.platforms import NebiusPlatform

Scope = shared.Scope[NebiusPlatform]


def scope(plan: ClusterPlan, place: NebiusPlatform, stack: str) -> Scope:
    """The provider, with the credentials of its own environment, and the account guard."""
    provider = nebius.Provider("nebius", parent_id=place.account)
    parent = shared.parent(plan)
    asking = pulumi.InvokeOptions(parent=parent, provider=provider)
    found = nebius.get_iam_v1_project_output(id=place.account, opts=asking)
    account = pulumi.Output.all(found.id, found.status).apply(lambda it: _guard(place, *it))
    return Scope(plan, place, stack, parent, provider, account)


@without_traceback
def _guard(place: NebiusPlatform, found: str, status: Any) -> str:
    """The project, where the credentials reach the spec's, in the spec's region."""
    region = str(field(status, "region"))
    if found != place.account or region != place.region:
        raise shared.other_account(
            "the credentials in use do not reach the spec's project, or it is in another region",
            f"{found or 'none'} in {region or 'no region'}", f"{place.account} in {place.region}",
            "choose the right profile (`nebius profile list`), or correct platform.account or platform.region",
        )  # fmt: skip
    return place.account


def field(value: Any, name: str) -> Any:
    """A field of a result: the SDK's own object, or a map where it was not made one."""
    return value.get(name, "") if isinstance(value, dict) else getattr(value, name, "")
