"""The recipe of an image of Nebius: an instance without GPUs and without a public address."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.hcl import Block, Raw
from railbed.platforms.packer.recipe import DISK_GIB, Source, Variable, labels, stamped
from railbed.spec.platforms import NebiusPlatform

ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """What Packer is told."""
    place = plan.place
    assert isinstance(place, NebiusPlatform)
    platform, _, preset = (place.controller_shape or "").partition("/")
    account = Block("service_account", (), {
        "private_key_file": Raw("var.private_key_file"), "public_key_id": Raw("var.public_key_id"),
        "account_id": Raw("var.service_account"),
    })  # fmt: skip
    return Source(
        builder="nebius-image",
        attributes={"parent_id": place.account},
        blocks=[
            account,
            Block("base_image", (), {"id": place.image}),
            Block("disk", (), {"size_gibibytes": DISK_GIB, "type": "network_ssd"}),
            Block("network", (), {"subnet_id": Raw("var.subnet"), "associate_public_ip_address": False}),
            Block("instance", (), {"platform": Raw("var.platform"), "preset": Raw("var.preset")}),
            Block("image", (), {
                "name": stamped(plan, pool),
                "cpu_architecture": ARCHITECTURES[pool.machine.cpu_architecture],
                "labels": labels(plan, pool),
            }),
        ],
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
