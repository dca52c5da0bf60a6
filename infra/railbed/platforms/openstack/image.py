"""The recipe of an image of a private cloud: a server without GPUs on a network of the project."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import SECURITY_GROUP, Source, Variable, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import OpenstackPlatform


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    place = plan.place
    assert isinstance(place, OpenstackPlatform)
    return Source(
        builder="openstack",
        attributes={
            "region": place.region,
            "availability_zone": place.zone,
            "flavor": var("shape"),
            "source_image": place.image.id,
            "image_name": stamped(plan, pool),
            "networks": [var("network")],
            "security_groups": [var("security_group")],
            "ssh_ip_version": "4",
            "config_drive": True,
            "ssh_clear_authorized_keys": True,
            "metadata": {"railbed_release": plan.software.release, "railbed_machine": pool.machine.key},
        },
        variables=[
            Variable(
                "network", "Network (its id) to build in; Packer must be able to reach it.", place.network
            ),
            SECURITY_GROUP,
            Variable(
                "shape", "Flavour to build on; it needs no GPU, and a disk of 100 GB.", place.controller_shape
            ),
        ],
        result="`image:` with the id of the image in the pool; `manifest.json` has it.",
        notes=[
            "OS_TENANT_ID must be set even with version 3 of the identity service, and OS_PROJECT_ID has no effect: so the "
            "plugin's documentation.",
            "For bare metal (Ironic) the base image must be one that boots the machines; what Packer makes on a virtual "
            "server boots them as well where its kernel has their drivers.",
            "Whether images are encrypted is the cloud's matter.",
        ],
    )
