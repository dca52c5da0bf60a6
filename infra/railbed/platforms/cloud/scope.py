"""What all resources of one cluster on a cloud share: plan, place, tags, parent and provider; and the guard of the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pulumi

from railbed.errors import RailbedError
from railbed.plan import ClusterPlan, PlannedFilesystem
from railbed.platforms.cloud import tags
from railbed.spec.platforms import CloudPlatform

Place = TypeVar("Place", bound=CloudPlatform)
T = TypeVar("T")


@dataclass(frozen=True)
class Scope(Generic[Place]):
    """Where resources are made, and whose they are."""

    plan: ClusterPlan
    place: Place
    stack: str
    parent: pulumi.Resource
    provider: pulumi.ProviderResource
    account: pulumi.Input[str]
    """The spec's account; where a look-up guards it, known only after that, so that nothing is made before."""

    @property
    def tenants(self) -> list[str]:
        """Every tenant, with the empty one for the cluster's own."""
        own = [""] if self.plan.has_controller else []
        return sorted({*(pool.tenant for pool in self.plan.pools), *own})

    def options(self, former: str = "", **more: Any) -> pulumi.ResourceOptions:
        """Options of a child; ``former`` is the name that it had before a rename: it is the same one."""
        aliases = [pulumi.Alias(name=former)] if former else None
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, aliases=aliases, **more)

    def filesystem_options(
        self, one: PlannedFilesystem, prefix: str = "", **more: Any
    ) -> pulumi.ResourceOptions:
        """Options of a filesystem, called ``prefix`` and its name: where it is to be kept, nothing deletes it."""
        keep, former = one.keep_on_destroy, f"{prefix}{one.formerly}" if one.formerly else ""
        return self.options(former, protect=keep, retain_on_delete=keep, **more)

    def asking(self) -> pulumi.InvokeOutputOptions:
        """Options of look-ups."""
        return pulumi.InvokeOutputOptions(parent=self.parent, provider=self.provider)

    def guarded(self, value: T) -> pulumi.Output[T]:
        """``value``, once the account is known to be the spec's."""
        return pulumi.Output.from_input(self.account).apply(lambda _: value)

    def tags(self, **more: str) -> dict[str, str]:
        """railbed's tags and the spec's own; ``more`` as in ``cloud.tags``."""
        return tags.tags(self.plan, self.stack, **more)


def parent(plan: ClusterPlan) -> pulumi.ComponentResource:
    """``railbed:<kind>:Cluster``, the parent of everything that is made."""
    return pulumi.ComponentResource(f"railbed:{plan.platform}:Cluster", plan.name)


def other_account(message: str, found: str, allowed: str, hint: str) -> RailbedError:
    """The error (code ACCOUNT) of credentials that are not those of the spec's account."""
    return RailbedError(
        message,
        path="railbed:cluster.platform.account",
        found=found,
        allowed=allowed,
        hint=hint,
        code="ACCOUNT",
    )
