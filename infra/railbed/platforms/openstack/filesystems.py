"""Manila shares: made in whole GiB, or those that are there; and what clients mount."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pulumi
from pulumi_openstack import sharedfilesystem

from railbed.errors import SpecError
from railbed.plan import PlannedFilesystem
from railbed.platforms.openstack.scope import Scope

GIB_PER_TIB = 1024
CEPHX_USER = "railbed"


@dataclass(frozen=True)
class Protocol:
    """How Manila is asked for a share, and how clients mount it."""

    name: str
    access: str
    options: str


PROTOCOLS = {
    "openstack/manila-cephfs": Protocol("CEPHFS", "cephx", f"name={CEPHX_USER}"),
    "openstack/manila-nfs": Protocol("NFS", "ip", ""),
}
"""Offer → protocol. With CephFS the key of the user is a secret: never in the contract, put on nodes by its operator."""


@dataclass(frozen=True)
class Shared:
    """A filesystem before its mount source is known."""

    options: str
    share: str = ""
    """Id of the Manila share; empty where ``source`` says it all."""
    source: str = ""


def filesystem(scope: Scope, planned: PlannedFilesystem) -> pulumi.Output[Shared]:
    """Declares the share, or takes the one that is there. Raises SpecError for an offer that cannot be made here."""
    protocol = PROTOCOLS.get(planned.offer)
    options = protocol.options if protocol else ""
    if planned.existing:
        is_mount = ":" in planned.existing
        here = (
            Shared(options, source=planned.existing) if is_mount else Shared(options, share=planned.existing)
        )
        return scope.guarded(here)
    if protocol is None:
        raise SpecError(
            "this offer is not made by OpenStack",
            path=f"railbed:cluster.filesystems ({planned.name}).offer",
            found=planned.offer,
            allowed=sorted(PROTOCOLS),
            hint="choose one of these, or name a filesystem that is there in `existing`",
        )
    share = sharedfilesystem.Share(
        planned.name,
        name=f"{scope.plan.name}-{planned.name}",
        region=scope.region,
        share_proto=protocol.name,
        size=math.ceil(planned.capacity_tib * GIB_PER_TIB),
        is_public=False,
        metadata=scope.tags(filesystem=planned.name),
        opts=scope.filesystem_options(planned),
    )
    sharedfilesystem.ShareAccess(
        planned.name,
        region=scope.region,
        share_id=share.id,
        access_type=protocol.access,
        access_to=CEPHX_USER if protocol.access == "cephx" else scope.place.network_cidr,
        access_level="rw",
        opts=scope.options(
            planned.formerly,
            retain_on_delete=planned.keep_on_destroy,
        ),
    )
    made: pulumi.Output[str] = share.id
    return made.apply(lambda one: Shared(options, share=str(one)))
