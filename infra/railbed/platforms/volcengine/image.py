"""The recipe of a custom image of Volcengine: an instance without GPUs and without a public address."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import DISK_GIB, SECURITY_GROUP, Source, Variable, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import VolcenginePlatform


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    place = plan.place
    assert isinstance(place, VolcenginePlatform)
    return Source(
        builder="volcengine-ecs",
        attributes={
            "region": place.region,
            "availability_zone": place.zone,
            "instance_type": var("shape"),
            "source_image_id": place.image.id,
            "target_image_name": stamped(plan, pool),
            "system_disk_type": "ESSD_PL0",
            "system_disk_size": DISK_GIB,
            "vpc_id": var("network"),
            "subnet_id": var("subnet"),
            "security_group_id": var("security_group"),
            "associate_public_ip_address": False,
            "ssh_clear_authorized_keys": True,
        },
        variables=[
            Variable("network", "VPC to build in; Packer must be able to reach it.", place.network),
            Variable("subnet", "Subnet of it, with a way out to the package sources.", place.subnet),
            SECURITY_GROUP,
            Variable("shape", "Instance type to build on; it needs no GPU.", place.controller_shape),
        ],
        login="root",
        result="`image: image-…` in the pool; `manifest.json` has it.",
        notes=["The plugin knows no encryption of its image."],
    )
