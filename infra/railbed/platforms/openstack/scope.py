"""The scope of a cluster on OpenStack: the spec's project, looked up before anything is made."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack
from pulumi_openstack import identity

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.openstack import session
from railbed.spec.platforms import OpenstackPlatform


@dataclass(frozen=True)
class Scope(shared.Scope[OpenstackPlatform]):
    """Every resource names its region."""

    @property
    def region(self) -> pulumi.Output[str]:
        """The spec's region, known once the project in use is the spec's."""
        return self.guarded(self.place.region)

    def words(self, **more: str) -> list[str]:
        """Tags in OpenStack's own form, which has no values."""
        return [f"{key}={value}" for key, value in sorted(self.tags(**more).items())]


def scope(plan: ClusterPlan, place: OpenstackPlatform, stack: str) -> Scope:
    """The provider for one region and project, and the account guard."""
    provider = openstack.Provider(
        "openstack", cloud=session.name(), region=place.region, tenant_id=place.account
    )
    parent = shared.parent(plan)
    found = identity.get_auth_scope_output(
        name="railbed", opts=pulumi.InvokeOptions(parent=parent, provider=provider)
    )
    account = found.project_id.apply(lambda it: _guard(place, str(it)))
    return Scope(plan, place, stack, parent, provider, account)


@without_traceback
def _guard(place: OpenstackPlatform, found: str) -> str:
    """The project, where the credentials are scoped to the spec's."""
    if found != place.account:
        raise shared.other_account(
            "the credentials in use are of another project", found, place.account,
            "choose the right cloud (OS_CLOUD), or correct platform.account: it is the project's id",
        )  # fmt: skip
    return place.account
