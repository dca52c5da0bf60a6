"""What Azure can be asked for, and how; what it lacks, and the way round."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "Azure"
SDK = "pulumi-azure-native"
SUPPORT: Support = {
    "hosts": "compute.VirtualMachineScaleSet; an application security group for each tenant",
    "cluster": "one compute.VirtualMachineScaleSet with a single placement group: that is one InfiniBand domain",
    "metal": Lacks("its GPU sizes are virtual machines", "use service: cluster or hosts"),
    "on_demand": "priority Regular",
    "reservation": (
        "a capacity reservation group, for hosts without a fabric: a reserved scale set must not have a single placement "
        "group, and InfiniBand needs one"
    ),
    "block": Lacks(
        "Azure sells no capacity for fixed dates by its API",
        "agree the dates with Microsoft, and use on_demand",
    ),
    "spot": "priority Spot, deleted when it is taken back",
    "filesystem": "storagecache.AmlFilesystem in a subnet of the size that Azure asks for",
    "existing_filesystem": "storagecache.get_aml_filesystem by its id; mounted, never changed",
    "data_repository": Lacks(
        "the link needs a second container for logs, and rights for Azure's own identity on both",
        "remove data_repository, and run `az amlfs import create` after `railbed up`",
    ),
    "existing_network": "network.get_virtual_network; subnets that are not named are cut from network_cidr in it",
    "host_keys": "boot diagnostics: the serial console's log of each VM",
    "private_login": (
        "through the controller, or a small gate beside hosts; from public networks of access.ssh_from by an inbound rule of "
        "a load balancer, from private ones by its private address"
    ),
    "encrypted_disks": "encryption at host, and a disk encryption set with a key in the cluster's own key vault",
    "identities": "role definitions, assigned by an administrator on one resource group; `apply` may assign one role only",
    "preflight": "Azure Resource Manager: subscription, feature, size, zone, quota, reservation, image, network",
}
