"""What Alibaba Cloud can be asked for through its Pulumi package (4.0) and API."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "Alibaba Cloud"
SDK = "pulumi-alicloud"
SUPPORT: Support = {
    "hosts": "ECS: `alicloud.ess.ScalingGroup`, a security group per tenant. Lingjun nodes are for clusters",
    "cluster": "Lingjun: `alicloud.eflo.Cluster` and a node group per pool. ECS: scaling groups with eRDMA interfaces",
    "metal": "Lingjun nodes and `ecs.ebm…` shapes are whole machines",
    "on_demand": "ECS scaling groups, 2,000 nodes each. Lingjun nodes are only taken from those that were bought",
    "reservation": "ECS: private pool of a capacity reservation or elasticity assurance. Lingjun: the HPN zone of bought nodes",
    "block": "Lingjun: nodes bought for a fixed time, in the HPN zone `id`; refused for ECS shapes",
    "spot": "ECS: spot strategy `SpotAsPriceGo`; refused for Lingjun",
    "filesystem": "`alicloud.nas.FileSystem` of type cpfs and a mount target; roles do not bring CPFS's own client",
    "existing_filesystem": "mounted from `existing`, e.g. DOMAIN:/PATH of its mount target",
    "data_repository": Lacks(
        "a data flow (`alicloud.nas.DataFlow`) needs a fileset, and a fileset none of the offer's facts describe",
        "make fileset and data flow at the CPFS console, then leave out `data_repository`",
    ),
    "existing_network": "`platform.network` and `platform.subnet`; login then comes over that network",
    "host_keys": "ECS GetInstanceConsoleOutput; Lingjun: RunCommand of the eflo controller",
    "private_login": "the NAT gateway forwards port 22 to the controller (hosts: to a small gate) for `access.ssh_from`",
    "encrypted_disks": "system disks of ECS nodes, controller and gate by KMS; CPFS and Lingjun's local disks have no argument",
    "identities": "policy documents that an administrator gives out; `apply` has no rights over users, roles and policies",
    "preflight": "STS, ECS, eflo: account, zone, shape, image, reservation or free Lingjun nodes; quotas are not read",
}
