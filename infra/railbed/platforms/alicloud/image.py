"""The recipe of a custom image of ECS: an instance without GPUs and without a public address. Lingjun's are made otherwise."""

from __future__ import annotations

from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import DISK_GIB, SECURITY_GROUP, Source, Variable, labels, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import AlicloudPlatform

ECS = "alicloud/ecs."
"""Beginning of the keys of machines that are instances of ECS."""


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables. Raises Unsupported for Lingjun nodes, whose images no plugin makes."""
    place = plan.place
    assert isinstance(place, AlicloudPlatform)
    if not pool.machine.key.startswith(ECS):
        raise Unsupported(
            "platform alicloud", "recipes of images of Lingjun nodes",
            "Lingjun's console makes an image of a node that `railbed converge` has configured; name it in the pool's image",
            path="railbed:cluster.pools",
        )  # fmt: skip
    return Source(
        builder="alicloud-ecs",
        attributes={
            "region": place.region,
            "zone_id": place.zone,
            "instance_type": var("shape"),
            "source_image": place.image.id,
            "image_name": stamped(plan, pool),
            "image_encrypted": True,
            "image_ignore_data_disks": True,
            "vswitch_id": var("subnet"),
            "security_group_id": var("security_group"),
            "ssh_private_ip": True,
            "ssh_clear_authorized_keys": True,
            "tags": labels(plan, pool),
            "system_disk_mapping": {"disk_size": DISK_GIB, "disk_category": "cloud_essd"},
        },
        variables=[
            Variable("subnet", "VSwitch to build in; Packer must be able to reach it.", place.subnet),
            SECURITY_GROUP,
            Variable("shape", "Instance type to build on; it needs no GPU.", place.controller_shape),
        ],
        login="root",
        result="`image: m-…` in the pool; `manifest.json` has it.",
        notes=["The image is an encrypted copy, made with the account's default key of KMS."],
    )
