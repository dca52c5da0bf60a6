"""The recipe of an image version of an Azure gallery: a machine without GPUs and without a public address."""

from __future__ import annotations

import re

from railbed.errors import SpecError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.azure.facts import facts
from railbed.platforms.packer.recipe import Source, Variable, image_name, labels
from railbed.platforms.packer.template import Value, var
from railbed.spec.platforms import AzurePlatform

IMAGE_PARTS = ("publisher", "offer", "sku", "version")
"""An image of the marketplace, in the order of its four words."""
GALLERY = re.compile(
    r"/?subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)/providers/Microsoft\.Compute"
    r"/galleries/(?P<gallery_name>[^/]+)/images/(?P<image_name>[^/]+)/versions/(?P<image_version>[^/]+)",
    re.IGNORECASE,
)
DEPROVISION = "sudo /usr/sbin/waagent -force -deprovision"
"""Without it a copy would take itself for the machine that the image was made on (learn.microsoft.com, generalize)."""


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    place = plan.place
    assert isinstance(place, AzurePlatform)
    return Source(
        builder="azure-arm",
        attributes={
            "use_azure_cli_auth": True,
            "subscription_id": place.account,
            "location": place.region,
            "os_type": "Linux",
            **_base(place.image.id),
            "vm_size": var("shape"),
            "os_disk_size_gb": facts().disk_gib,
            "virtual_network_name": var("network"),
            "virtual_network_subnet_name": var("subnet"),
            "virtual_network_resource_group_name": var("network_resource_group"),
            "azure_tags": labels(plan, pool),
            "shared_image_gallery_destination": {
                "subscription": place.account, "resource_group": var("gallery_resource_group"),
                "gallery_name": var("gallery"), "image_name": var("image_definition"),
                "image_version": var("image_version"), "storage_account_type": "Premium_LRS",
                "target_region": {"name": place.region},
            },
        },
        variables=[
            Variable("network", "Virtual network to build in; Packer must be able to reach it, as nothing is public."),
            Variable("subnet", "Subnet of it, with a way out to the package sources."),
            Variable("network_resource_group", "Resource group of the network.", place.resource_group),
            Variable("gallery_resource_group", "Resource group of the gallery."),
            Variable("gallery", "Gallery that keeps the image."),
            Variable("image_definition", "Image definition of it: Linux, generalized.", image_name(plan, pool)),
            Variable("image_version", "Version to publish, e.g. 1.0.0.", pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$"),
            Variable("shape", "Size to build on; it needs no GPU.",
                     place.controller_shape or facts().controller_shapes[pool.machine.cpu_architecture]),
        ],
        login="railbed-build",
        last=[DEPROVISION],
        result="`image: /subscriptions/…/galleries/…/images/…/versions/…` in the pool.",
        notes=["Image versions are encrypted with the platform's keys; disks of nodes with the key set of the cluster."],
    )  # fmt: skip


def _base(image: str) -> dict[str, Value]:
    """The platform's image: of the marketplace in four words, or a version of a gallery. Raises SpecError for another."""
    words = image.split(":")
    if len(words) == len(IMAGE_PARTS):
        return {f"image_{part}": word for part, word in zip(IMAGE_PARTS, words, strict=True)}
    found = GALLERY.fullmatch(image)
    if found is None:
        raise SpecError(
            "a recipe starts from an image of the marketplace or a version of a gallery",
            path="railbed:cluster.platform.image", found=image,
            allowed="publisher:offer:sku:version, or /subscriptions/…/galleries/…/images/…/versions/…",
            hint="publish the image in a gallery first: scale sets are best started from one",
        )  # fmt: skip
    return {"shared_image_gallery": found.groupdict()}
