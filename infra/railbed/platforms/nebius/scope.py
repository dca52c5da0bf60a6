"""What every resource of a cluster shares: the one provider, the parent, the project that was checked, the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_nebius as nebius

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import tags
from railbed.platforms.cloud.told import told
from railbed.spec.platforms import NebiusPlatform

TYPE = "railbed:nebius:Cluster"


@dataclass(frozen=True)
class Scope:
    """Where resources are made, and whose they are."""

    plan: ClusterPlan
    place: NebiusPlatform
    stack: str
    parent: pulumi.ComponentResource
    provider: pulumi.ProviderResource
    project: pulumi.Output[str]
    """The spec's account, known to be there and in the spec's region: nothing is made before that look-up."""

    def options(self, former: str = "", **more: Any) -> pulumi.ResourceOptions:
        """Options of a child; ``former`` is the name that it had before a rename."""
        aliases = [pulumi.Alias(name=former)] if former else []
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, aliases=aliases, **more)

    def asking(self) -> pulumi.InvokeOptions:
        return pulumi.InvokeOptions(parent=self.parent, provider=self.provider)

    def labels(self, **more: str) -> dict[str, str]:
        return tags.tags(self.plan, self.stack, **more)


def scope(plan: ClusterPlan, place: NebiusPlatform, stack: str) -> Scope:
    """The provider, with the credentials of its own environment, and the account guard."""
    provider = nebius.Provider("nebius", parent_id=place.account)
    parent = pulumi.ComponentResource(TYPE, plan.name)
    asking = pulumi.InvokeOptions(parent=parent, provider=provider)
    found = nebius.get_iam_v1_project_output(id=place.account, opts=asking)
    project = pulumi.Output.all(found.id, found.status).apply(lambda it: _guard(place, *it))
    return Scope(plan, place, stack, parent, provider, project)


@told
def _guard(place: NebiusPlatform, found: str, status: Any) -> str:
    """The project, where the credentials reach the spec's, in the spec's region."""
    region = str(field(status, "region"))
    if found != place.account or region != place.region:
        raise RailbedError(
            "the credentials in use do not reach the spec's project, or it is in another region",
            path="railbed:cluster.platform.account",
            found=f"{found or 'none'} in {region or 'no region'}",
            allowed=f"{place.account} in {place.region}",
            hint="choose the right profile (`nebius profile list`), or correct platform.account or platform.region",
            code="ACCOUNT",
        )
    return place.account


def field(value: Any, name: str) -> Any:
    """A field of a result: the SDK's own object, or a map where it was not made one."""
    return value.get(name, "") if isinstance(value, dict) else getattr(value, name, "")
