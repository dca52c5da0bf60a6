"""The recipe of an image of Nebius: an instance without GPUs and without a public address."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import DISK_GIB, Source, Variable, labels, stamped
from railbed.platforms.packer.template import var
from railbed.spec.platforms import NebiusPlatform

ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    place = plan.place
    assert isinstance(place, NebiusPlatform)
    platform, _, preset = (place.controller_shape or "").partition("/")
    return Source(
        builder="nebius-image",
        attributes={
            "parent_id": place.account,
            "service_account": {
                "private_key_file": var("private_key_file"), "public_key_id": var("public_key_id"),
                "account_id": var("service_account"),
            },
            "base_image": {"id": place.image.id},
            "disk": {"size_gibibytes": DISK_GIB, "type": "network_ssd"},
            "network": {"subnet_id": var("subnet"), "associate_public_ip_address": False},
            "instance": {"platform": var("platform"), "preset": var("preset")},
            "image": {
                "name": stamped(plan, pool),
                "cpu_architecture": ARCHITECTURES[pool.machine.cpu_architecture],
                "labels": labels(plan, pool),
            },
        },
        variables=[
            Variable("private_key_file", "File with the private key of a service account; it stays where it is."),
            Variable("public_key_id", "Id of its public part."),
            Variable("service_account", "Id of the service account."),
            Variable("subnet", "Subnet to build in; Packer must be able to reach it.", place.subnet),
            Variable("platform", "Platform to build on, e.g. cpu-d3; it needs no GPU.", platform or None),
            Variable("preset", "Preset of it, e.g. 16vcpu-64gb.", preset or None),
        ],
        result="`image: computeimage-…` in the pool; `manifest.json` has it.",
        notes=["Disks of nodes are encrypted by the cluster's program; the plugin knows no encryption of its image."],
    )  # fmt: skip
