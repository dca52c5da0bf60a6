"""What every resource of a cluster shares: the one provider, the parent, the project that was checked, the tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_openstack as openstack
from pulumi_openstack import identity

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import tags
from railbed.platforms.cloud.told import told
from railbed.platforms.openstack import session
from railbed.spec.platforms import OpenstackPlatform

TYPE = "railbed:openstack:Cluster"


@dataclass(frozen=True)
class Scope:
    """Where resources are made, and whose they are."""

    plan: ClusterPlan
    place: OpenstackPlatform
    stack: str
    parent: pulumi.ComponentResource
    provider: pulumi.ProviderResource
    region: pulumi.Output[str]
    """The spec's region, known once the project in use is the spec's: nothing is made before that look-up."""

    def options(self, former: str = "", **more: Any) -> pulumi.ResourceOptions:
        """Options of a child; ``former`` is the name that it had before a rename."""
        aliases = [pulumi.Alias(name=former)] if former else []
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, aliases=aliases, **more)

    def metadata(self, **more: str) -> dict[str, str]:
        """Tags, for what has key and value."""
        return tags.tags(self.plan, self.stack, **more)

    def tags(self, **more: str) -> list[str]:
        """The same in OpenStack's own form of tags, which has no values."""
        return [f"{key}={value}" for key, value in sorted(self.metadata(**more).items())]


def scope(plan: ClusterPlan, place: OpenstackPlatform, stack: str) -> Scope:
    """The provider for one region and project, and the account guard."""
    provider = openstack.Provider(
        "openstack", cloud=session.name(), region=place.region, tenant_id=place.account
    )
    parent = pulumi.ComponentResource(TYPE, plan.name)
    found = identity.get_auth_scope_output(
        name="railbed", opts=pulumi.InvokeOptions(parent=parent, provider=provider)
    )
    region = found.project_id.apply(lambda it: _guard(place, str(it)))
    return Scope(plan, place, stack, parent, provider, region)


@told
def _guard(place: OpenstackPlatform, found: str) -> str:
    """The region, where the credentials are scoped to the spec's project."""
    if found != place.account:
        raise RailbedError(
            "the credentials in use are of another project",
            path="railbed:cluster.platform.account",
            found=found,
            allowed=place.account,
            hint="choose the right cloud (OS_CLOUD), or correct platform.account: it is the project's id",
            code="ACCOUNT",
        )
    return place.region
