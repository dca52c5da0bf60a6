"""The recipe of an AMI: an instance without GPUs in a subnet of the cluster's owner, reached through Session Manager."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.aws.facts import facts
from railbed.platforms.packer.recipe import Source, Variable, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import AwsPlatform


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    place = plan.place
    assert isinstance(place, AwsPlatform)
    shape = place.controller_shape or facts().controller_shapes[pool.machine.cpu_architecture]
    return Source(
        builder="amazon-ebs",
        attributes={
            "region": place.region,
            "allowed_account_ids": [place.account],
            "instance_type": var("shape"),
            "ami_name": stamped(plan, pool),
            "ami_description": f"railbed, release {plan.software.release}",
            "encrypt_boot": True,
            "imds_support": "v2.0",
            "ssh_interface": "session_manager",
            "iam_instance_profile": var("instance_profile"),
            "subnet_id": var("subnet"),
            "associate_public_ip_address": False,
            "ssh_clear_authorized_keys": True,
            "tags": {"railbed:release": plan.software.release, "railbed:machine": pool.machine.key},
            "source_ami_filter": {
                "filters": {"image-id": place.image.id}, "owners": [var("base_image_owner")], "most_recent": True,
            },
            "launch_block_device_mappings": {
                "device_name": var("root_device"), "volume_size": facts().root_gib, "volume_type": "gp3",
                "encrypted": True, "delete_on_termination": True,
            },
            "metadata_options": {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
        },
        variables=[
            Variable("base_image_owner", f"Account that owns {place.image.id}, e.g. 099720109477 (Canonical).",
                     pattern=r"^([0-9]{12}|amazon)$"),
            Variable("subnet", "Subnet with a way out to the package sources; nothing needs to come in.",
                     place.subnet, r"^subnet-[0-9a-f]+$"),
            Variable("instance_profile", "Instance profile with AmazonSSMManagedInstanceCore."),
            Variable("shape", "Instance type to build on; it needs no GPU.", shape),
            Variable("root_device", f"Name of the disk that {place.image.id} boots from.", "/dev/sda1"),
        ],
        result="`image: ami-…` in the pool, as `manifest.json` and the last line of the build name it.",
        notes=["The AMI and its snapshot are encrypted with the account's default key for EBS."],
    )  # fmt: skip
