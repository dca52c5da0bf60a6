"""What Oracle Cloud can be asked for, and how; what it lacks, and the way round."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "Oracle Cloud"
SDK = "pulumi-oci"
SUPPORT: Support = {
    "hosts": "core.InstancePool; a network security group for each tenant",
    "cluster": (
        "core.ClusterNetwork; for GB200 and GB300 core.ComputeCluster with a core.ComputeGpuMemoryCluster for each "
        "NVLink domain"
    ),
    "metal": "the GPU shapes (BM.*) are whole machines",
    "on_demand": "the default; for GB200 and GB300 any GPU memory fabric that Oracle dedicated to the tenancy",
    "reservation": (
        "core.ComputeCapacityReservation, named in the instance configuration; for GB200 and GB300 one GPU memory "
        "fabric for a pool"
    ),
    "block": Lacks(
        "Oracle sells no capacity for fixed dates by its API",
        "use capacity kind reservation, made with Oracle for the term",
    ),
    "spot": Lacks(
        "preemptible capacity has no bare-metal instances, and all GPU shapes here are bare metal",
        "use capacity kind on_demand or reservation",
    ),
    "filesystem": "lustre.FileStorageLustreFileSystem",
    "existing_filesystem": "looked up by its OCID; mounted, never changed",
    "data_repository": "lustre.FileStorageObjectStorageLink, oci://NAMESPACE/BUCKET/PREFIX",
    "existing_network": "platform.subnet by its OCID; its own route table and security lists hold",
    "host_keys": "console history (CaptureConsoleHistory)",
    "private_login": "bastion.Bastion, open to access.ssh_from; sessions made by login.py",
    "encrypted_disks": "boot volumes and Lustre are always encrypted at rest, with keys that Oracle holds",
    "identities": (
        "policy statements in identities/, bound to one compartment: conditions know no free-form tags, so give each "
        "cluster a compartment of its own"
    ),
    "preflight": "the oci SDK: compartment, region, domain, shape, limit, reservation, image, subnet",
}
