"""What every resource of a cluster shares: the one provider, the parent, the compartment that was checked, the tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_oci as oci

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.cloud import tags
from railbed.platforms.cloud.told import told
from railbed.platforms.oci import session
from railbed.spec.platforms import OciPlatform

TYPE = "railbed:oci:Cluster"


@dataclass(frozen=True)
class Scope:
    """Where resources are made, and whose they are."""

    plan: ClusterPlan
    place: OciPlatform
    stack: str
    parent: pulumi.ComponentResource
    provider: pulumi.ProviderResource
    compartment: pulumi.Output[str]
    """The spec's account, known to be there and active: nothing is made before that look-up."""

    def options(self, former: str = "", **more: Any) -> pulumi.ResourceOptions:
        """Options of a child; ``former`` is the name that it had before a rename."""
        aliases: Sequence[pulumi.Alias] = [pulumi.Alias(name=former)] if former else []
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, aliases=aliases, **more)

    def asking(self) -> pulumi.InvokeOptions:
        return pulumi.InvokeOptions(parent=self.parent, provider=self.provider)

    def tags(self, **more: str) -> dict[str, str]:
        return tags.tags(self.plan, self.stack, **more)


def scope(plan: ClusterPlan, place: OciPlatform, stack: str) -> Scope:
    """The provider for one region and identity, and the account guard."""
    provider = oci.Provider(
        "oci", region=place.region, auth=session.AUTH[session.auth()], config_file_profile=session.profile()
    )
    parent = pulumi.ComponentResource(TYPE, plan.name)
    asking = pulumi.InvokeOptions(parent=parent, provider=provider)
    found = oci.identity.get_compartment_output(id=place.account, opts=asking)
    compartment = pulumi.Output.all(found.id, found.state).apply(lambda it: _guard(place.account, *it))
    return Scope(plan, place, stack, parent, provider, compartment)


@told
def _guard(wanted: str, found: str, state: str) -> str:
    """The compartment, where the credentials reach the one that the spec names."""
    if found != wanted or state != "ACTIVE":
        raise RailbedError(
            "the credentials in use do not reach the spec's compartment, or it is not active",
            path="railbed:cluster.platform.account",
            found=f"{found or 'none'} {state or ''}".strip(),
            allowed=wanted,
            hint="choose the right profile (OCI_CLI_PROFILE), or correct platform.account",
            code="ACCOUNT",
        )
    return wanted
