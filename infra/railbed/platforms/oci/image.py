"""The recipe of a custom image of Oracle Cloud: a machine without GPUs and without a public address."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import DISK_GIB, Source, Variable, labels, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import OciPlatform


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    place = plan.place
    assert isinstance(place, OciPlatform)
    return Source(
        builder="oracle-oci",
        attributes={
            "region": place.region,
            "availability_domain": place.zone,
            "compartment_ocid": place.account,
            "base_image_ocid": place.image.id,
            "shape": var("shape"),
            "subnet_ocid": var("subnet"),
            "use_private_ip": True,
            "image_name": stamped(plan, pool),
            "disk_size": DISK_GIB,
            "instance_options_are_legacy_imds_endpoints_disabled": True,
            "ssh_clear_authorized_keys": True,
            "tags": labels(plan, pool),
            "create_vnic_details": {"assign_public_ip": False},
            "shape_config": {"ocpus": 8, "memory_in_gbs": 64},
        },
        variables=[
            Variable(
                "subnet",
                "Subnet to build in; Packer must be able to reach it.",
                place.subnet,
                r"^ocid1\.subnet\.",
            ),
            Variable("shape", "Flexible shape to build on; it needs no GPU.", place.controller_shape),
        ],
        result="`image: ocid1.image.…` in the pool; `manifest.json` has it.",
        notes=[
            "Boot volumes and custom images are encrypted with Oracle's keys.",
            "Add the pool's shape to the image's compatible shapes (`oci compute image-shape-compatibility-entry add`).",
        ],
    )
