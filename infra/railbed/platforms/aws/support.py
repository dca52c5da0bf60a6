"""What the platform AWS can be asked for."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "AWS"
SDK = "pulumi-aws"
SUPPORT: Support = {
    "hosts": "autoscaling.Group a pool; a security group a tenant",
    "cluster": "autoscaling.Group a pool, EFA interfaces by card, ec2.PlacementGroup, a controller",
    "metal": Lacks(
        "its GPU shapes are virtual machines",
        "use service: cluster; an instance is a whole machine all the same",
    ),
    "on_demand": "ec2.LaunchTemplate",
    "reservation": "ec2.LaunchTemplate: a targeted On-Demand Capacity Reservation",
    "block": "ec2.LaunchTemplate: market type capacity-block; no placement group with it",
    "spot": "ec2.LaunchTemplate: market type spot",
    "filesystem": "fsx.LustreFileSystem: Persistent SSD (with EFA where the size allows) and Intelligent-Tiering",
    "existing_filesystem": "FSx DescribeFileSystems",
    "data_repository": "fsx.DataRepositoryAssociation: imports from S3",
    "existing_network": "platform.network and platform.subnet; its way out is its owner's",
    "host_keys": "EC2 GetConsoleOutput",
    "private_login": "Session Manager: AWS-StartSSHSession",
    "encrypted_disks": "EBS encryption of each root volume; FSx is always encrypted",
    "identities": "iam.Role for repair and validate below a permissions boundary; `apply` is held to the cluster's tag",
    "preflight": "STS, IAM, EC2, Service Quotas, FSx: read-only calls",
}
