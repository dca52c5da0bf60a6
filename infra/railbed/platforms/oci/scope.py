"""The scope of a cluster on Oracle Cloud: the spec's compartment, looked up before anything is made."""

from __future__ import annotations

import pulumi
import pulumi_oci as oci

from railbed.plan import ClusterPlan
from railbed.platforms.cloud import scope as shared
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.oci import session
from railbed.spec.platforms import OciPlatform

Scope = shared.Scope[OciPlatform]


def scope(plan: ClusterPlan, place: OciPlatform, stack: str) -> Scope:
    """The provider for one region and identity, and the account guard."""
    provider = oci.Provider(
        "oci", region=place.region, auth=session.AUTH[session.auth()], config_file_profile=session.profile()
    )
    parent = shared.parent(plan)
    asking = pulumi.InvokeOptions(parent=parent, provider=provider)
    found = oci.identity.get_compartment_output(id=place.account, opts=asking)
    account = pulumi.Output.all(found.id, found.state).apply(lambda it: _guard(place.account, *it))
    return Scope(plan, place, stack, parent, provider, account)


@without_traceback
def _guard(wanted: str, found: str, state: str) -> str:
    """The compartment, where the credentials reach the one that the spec names."""
    if found != wanted or state != "ACTIVE":
        raise shared.other_account(
            "the credentials in use do not reach the spec's compartment, or it is not active",
            f"{found or 'none'} {state or ''}".strip(), wanted,
            "choose the right profile (OCI_CLI_PROFILE), or correct platform.account",
        )  # fmt: skip
    return wanted
