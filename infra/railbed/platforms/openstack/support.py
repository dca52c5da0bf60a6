"""What an OpenStack cloud can be asked for, and how; what it lacks, and the way round."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "OpenStack"
SDK = "pulumi-openstack"
SUPPORT: Support = {
    "hosts": "orchestration.StackV1 with a Heat ResourceGroup; a security group for each tenant",
    "cluster": (
        "the same, with an SR-IOV port (vnic type direct) on each of platform.rail_networks, or a bare-metal flavour "
        "that has its rails; compute.ServerGroup keeps nodes on hosts of their own"
    ),
    "metal": "bare-metal flavours (Ironic); platform.rail_networks as ports of vnic type baremetal",
    "on_demand": "the project's quota is all that holds capacity",
    "reservation": "a Blazar host reservation, as the scheduler hint `reservation`",
    "block": Lacks("OpenStack sells nothing", "use capacity kind reservation, a Blazar lease with dates"),
    "spot": Lacks("OpenStack takes no server back", "use capacity kind on_demand"),
    "filesystem": "sharedfilesystem.Share (Manila); CephFS keys are not in the contract, see the page",
    "existing_filesystem": "a Manila share by its id, or what clients mount, e.g. 10.80.9.1@o2ib:/scratch",
    "data_repository": Lacks(
        "Manila fills no share from an object store", "copy the data after the first mount, e.g. with rclone"
    ),
    "existing_network": "platform.network and platform.subnet by id",
    "host_keys": "the server's console log; where the driver has none (bare metal), access.host_keys in the spec",
    "private_login": "a bastion with a floating address of platform.external_network, open to access.ssh_from",
    "encrypted_disks": Lacks(
        "a project cannot turn it on: local disks are as the cloud's owners configured Nova",
        "ask them for flavours on encrypted ephemeral storage",
    ),
    "identities": "application credentials with the access rules in identities/, bound to one project",
    "preflight": "openstacksdk: project, services, zone, flavours, image, quota, networks",
}
