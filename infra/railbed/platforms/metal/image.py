"""The recipe of a disk for machines of one's own: QEMU on this machine, from a cloud image of the distribution."""

from __future__ import annotations

from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.packer.recipe import Source, Variable, image_name
from railbed.platforms.packer.template import Template, var

USER_DATA = Template(
    '#cloud-config\n${jsonencode({ users = [{ name = var.login, sudo = "ALL=(ALL) NOPASSWD:ALL", '
    "ssh_authorized_keys = [var.ssh_public_key] }] })}\n"
)
"""The first boot's instructions; JSON is YAML."""


def source(plan: ClusterPlan, pool: PlannedPool) -> Source:
    """Packer's variables."""
    name = image_name(plan, pool)
    return Source(
        builder="qemu",
        attributes={
            "iso_url": var("base_image_url"),
            "iso_checksum": var("base_image_checksum"),
            "disk_image": True,
            "disk_size": "100G",
            "format": "qcow2",
            "output_directory": "output",
            "vm_name": f"{name}.qcow2",
            "accelerator": "kvm",
            "headless": True,
            "cpus": 8,
            "memory": 16384,
            "net_device": "virtio-net",
            "cd_label": "cidata",
            "cd_content": {"meta-data": "", "user-data": USER_DATA},
            "ssh_private_key_file": var("ssh_private_key_file"),
            "ssh_timeout": "10m",
            "shutdown_command": "sudo shutdown -P now",
        },
        variables=[
            Variable("base_image_url", "A cloud image (qcow2) of Ubuntu 24.04 or Debian 12."),
            Variable("base_image_checksum", "Its SHA-256 as the distribution publishes it.",
                     pattern=r"^sha256:[0-9a-f]{64}$"),
            Variable("ssh_private_key_file", "Private key made for this build alone; it stays where it is."),
            Variable("ssh_public_key", "Its public part, as one line."),
        ],
        login="railbed-build",
        result=f"write `output/{name}.qcow2` to the machines' disks by the means that you provision them with; then name them "
        "in the spec with their `host_keys` and without an `installer`, which would install them anew.",
        notes=[
            "Needs `qemu-system-x86_64`, /dev/kvm and xorriso.",
            "The machines need a cloud-init data source (e.g. NoCloud) that tells each its name and network, and lets "
            "railbed's key log in.",
        ],
    )  # fmt: skip
