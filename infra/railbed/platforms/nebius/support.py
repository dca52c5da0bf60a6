"""What Nebius can be asked for, and how; what it lacks, and the way round."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "Nebius"
SDK = "pulumi-nebius"
SUPPORT: Support = {
    "hosts": "ComputeV1Instance for each node; a security group for each tenant",
    "cluster": (
        "ComputeV1GpuCluster on platform.infiniband_fabric, and a ComputeV1Instance for each node: the provider has no "
        "group of instances with a count outside Kubernetes, so resources grow with nodes"
    ),
    "metal": Lacks("all its GPU shapes are virtual machines", "use service cluster or hosts"),
    "on_demand": "the default; no capacity block is touched (reservation policy FORBID)",
    "reservation": "a capacity block group (reservation policy STRICT), looked up before anything is made",
    "block": "the same, bought for dates by an addendum to the contract",
    "spot": "preemptible instances: stopped, not deleted",
    "filesystem": "ComputeV1Filesystem, attached to every node; deletion forbidden at the provider too",
    "existing_filesystem": "attached by its id",
    "data_repository": Lacks(
        "its filesystems are filled from nothing", "copy the data after the first mount"
    ),
    "existing_network": "platform.network and platform.subnet by id",
    "host_keys": "made here, one for each instance, in its boot script, which the engine keeps encrypted: no console in the API",
    "private_login": "a bastion with a public address, open to access.ssh_from; nodes have none",
    "encrypted_disks": (
        "boot disks: NETWORK_SSD_IO_M3 with DISK_ENCRYPTION_MANAGED; of shared filesystems the provider tells nothing"
    ),
    "identities": Lacks(
        "roles hold for a whole project and know no labels",
        "a project for each cluster; identities/ names the narrowest role for each duty",
    ),
    "preflight": Lacks(
        "no SDK of Nebius is in the extra, and the engine's provider looks only while the program runs",
        "project, region and capacity block are checked there, before anything is made; `railbed preflight` names the commands",
    ),
}
