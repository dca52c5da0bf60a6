"""Where a cluster is made: one strict part per platform kind. A key that a provider does not have cannot be written."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from railbed.spec.metal import MetalPlatform
from railbed.spec.model import PlatformModel, ProfileOnly
from railbed.spec.scalars import Name, NetworkV4, Tag, TagKey

Id = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^/?[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
"""An identifier that the provider gave; Azure's begin with a slash."""


def _of_id(given: Any) -> Any:
    """An id by itself is an image of the distribution, or of the profile that stands for it."""
    return {"id": given} if isinstance(given, str) else given


class PoolImage(ProfileOnly):
    """A machine image and what is in it."""

    id: Id | None = None
    """The provider's name of it; without it the platform's image."""


class MachineImage(ProfileOnly):
    """A machine image and what is in it."""

    id: Id
    """The provider's name of it."""


PoolImageOrId = Annotated[PoolImage, BeforeValidator(_of_id, json_schema_input_type=Id | PoolImage)]
ImageOrId = Annotated[MachineImage, BeforeValidator(_of_id, json_schema_input_type=Id | MachineImage)]


class LabPlatform(PlatformModel):
    """A cluster of real programs on one machine; the hardware is simulated."""

    kind: Literal["lab"]
    hosts: Literal["container", "machine"] = "container"
    """Hosts are containers of this machine's kernel, or virtual machines with a kernel and PCI devices of their own."""
    management_cidr: NetworkV4 = "10.90.0.0/24"
    """Management network, a /24; the controller gets .10, other hosts follow from .11."""
    rails_cidr: NetworkV4 = "10.91.0.0/16"
    """Rail i gets the i-th /24 of it."""


class CloudPlatform(PlatformModel):
    """Settings of every cloud."""

    region: Id
    """The provider's name of the region."""
    zone: Id
    """One zone: an RDMA fabric never spans two."""
    account: Id
    """Account, subscription, project or compartment that must be the one in use; any other is refused."""
    image: ImageOrId
    """Machine image of the nodes: Ubuntu 24.04 or Debian 12, with cloud-init. Its id, or ``{profile, id}``."""
    controller_shape: Id | None = None
    """Machine type of the controller; without it the platform's own choice."""
    network_cidr: NetworkV4 = "10.64.0.0/16"
    """Addresses of the cluster's own network."""
    network: Id | None = None
    """An existing network (VPC) to build in, instead of one of the cluster's own."""
    subnet: Id | None = None
    """An existing subnet of that network for the nodes."""
    tags: dict[TagKey, Tag] = Field(default={}, max_length=32)
    """Put on everything that is made, beside railbed's own tags."""


class AwsPlatform(CloudPlatform):
    """Amazon EC2 with EFA."""

    kind: Literal["aws"]
    account: Annotated[str, Field(pattern=r"^[0-9]{12}$")]
    """Account number, 12 digits."""


class AzurePlatform(CloudPlatform):
    """Microsoft Azure: scale sets with InfiniBand."""

    kind: Literal["azure"]
    account: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    """Subscription id."""
    resource_group: Id | None = None
    """An existing resource group, to which identities can be held; without it one of the cluster's own is made."""


class GcpPlatform(CloudPlatform):
    """Google Compute Engine with GPUDirect-RDMA."""

    kind: Literal["gcp"]
    account: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    """Project id."""


class OciPlatform(CloudPlatform):
    """Oracle Cloud bare-metal shapes on a cluster network."""

    whole_machines = True
    kind: Literal["oci"]
    account: Annotated[str, Field(pattern=r"^ocid1\.(compartment|tenancy)\.[A-Za-z0-9._-]{1,240}$")]
    """Compartment (or tenancy) OCID."""


class VolcenginePlatform(CloudPlatform):
    """Volcengine HPC clusters."""

    whole_machines = True
    kind: Literal["volcengine"]
    account: Annotated[str, Field(pattern=r"^[0-9]{8,20}$")]
    """Account id."""


class AlicloudPlatform(CloudPlatform):
    """Alibaba Cloud: Lingjun clusters, and ECS instances with eRDMA."""

    whole_machines = True
    kind: Literal["alicloud"]
    account: Annotated[str, Field(pattern=r"^[0-9]{12,20}$")]
    """Account UID."""
    lingjun_image: Id | None = None
    """Image of Lingjun nodes, which have images of their own; needed for pools of them."""


class NebiusPlatform(CloudPlatform):
    """Nebius GPU clusters."""

    kind: Literal["nebius"]
    infiniband_fabric: Id
    """Name of the InfiniBand fabric, e.g. ``fabric-2``: it belongs to the region and the machine type."""


class OpenstackPlatform(CloudPlatform):
    """A private cloud: bare-metal or virtual flavours that its owners defined."""

    whole_machines = True
    vendor = "metal"
    kind: Literal["openstack"]
    flavors: dict[Name, Id]
    """Pool → flavour; the pool's ``machine`` names the hardware under it (``metal/…``)."""
    rail_networks: list[Id] = Field(default=[], max_length=64)
    """Provider networks of the rails, one per rail, for SR-IOV ports; empty where the flavour is bare metal and has them."""
    external_network: Id | None = None
    """Network that a bastion's floating address comes from; without it there is none."""


Cloud = (
    AwsPlatform
    | AzurePlatform
    | GcpPlatform
    | OciPlatform
    | VolcenginePlatform
    | AlicloudPlatform
    | NebiusPlatform
    | OpenstackPlatform
)
"""Every cloud is registered here, and nowhere else: its kind names its package in ``railbed.platforms``."""
Platform = Annotated[LabPlatform | MetalPlatform | Cloud, Field(discriminator="kind")]
CLOUDS: tuple[str, ...] = tuple(get_args(one.model_fields["kind"].annotation)[0] for one in get_args(Cloud))
KINDS = ("lab", "metal", *CLOUDS)


def machines_of(platform: Platform) -> str:
    """The first part of the keys of machines that the platform's pools may name."""
    return platform.vendor or platform.kind
