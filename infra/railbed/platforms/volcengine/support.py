"""What Volcengine can be asked for through its Pulumi package (0.0.47) and API."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "Volcengine"
SDK = "pulumi-volcengine"
SUPPORT: Support = {
    "hosts": "scaling groups without an HPC cluster; a security group and a subnet of rules per tenant",
    "cluster": "`volcengine.ecs.HpcCluster`, named by every scaling configuration",
    "metal": "the `ecs.ebm…` shapes are whole machines",
    "on_demand": "`volcengine.autoscaling.ScalingGroup`, 100 nodes each",
    "reservation": "a reserved instance of the zone: matching nodes run in it by themselves; preflight checks it",
    "block": Lacks(
        "a scaling configuration cannot name scheduled capacity",
        "buy a reserved instance and write it as `kind: reservation` with `starts` and `ends`",
    ),
    "spot": "scaling configuration with spot strategy `SpotAsPriceGo`",
    "filesystem": "`volcengine.vepfs.FileSystem` and a mount service; roles do not bring vePFS's own client",
    "existing_filesystem": "mounted from `existing`, an NFS export HOST:/vepfs/PATH; an id is for vePFS's own client",
    "data_repository": Lacks(
        "the Pulumi package has no resource for data flow between vePFS and TOS",
        "make the data flow task at the vePFS console, then leave out `data_repository`",
    ),
    "existing_network": "`platform.network` and `platform.subnet`; login then comes over that network",
    "host_keys": "ECS GetConsoleOutput",
    "private_login": "the NAT gateway forwards port 22 to the controller (hosts: to a small gate) for `access.ssh_from`",
    "encrypted_disks": Lacks(
        "volumes of a scaling configuration and vePFS have no argument for encryption",
        "turn on the account's default encryption of cloud disks, or encrypt inside the nodes",
    ),
    "identities": "policy documents that an administrator gives out; `apply` has no rights over users, roles and policies",
    "preflight": "STS, ECS: account, zone, shape, image, reserved instances; quotas are not in that API",
}
