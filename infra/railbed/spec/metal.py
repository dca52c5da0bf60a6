"""Bare metal in the spec: the machines one by one, and what they have in common."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from railbed.defaults import CONTROLLER_NAME
from railbed.spec.address_span import AddressSpan
from railbed.spec.installers import Installer
from railbed.spec.machine_setup import BiosAttribute, BiosValue, Component, MachineSetup, Version
from railbed.spec.model import PlatformModel, ProfileOnly, SpecModel
from railbed.spec.scalars import AddressV4, Key, Name, NetworkV4, PublicKey
from railbed.text import LINE_PATTERN


class MetalMachine(MachineSetup):
    """One physical machine and how its power is reached."""

    name: Name
    """Host name."""
    bmc: Annotated[str, Field(pattern=r"^https://[A-Za-z0-9._~:/\[\]%-]+$", max_length=255)]
    """Redfish address, ``https://…``; never with a user or password in it."""
    serial: Annotated[
        str, Field(max_length=64, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:/+ -]*[A-Za-z0-9._:/+-])?$")
    ]
    """Serial number; checked before anything is done to the machine."""
    address: AddressV4
    """Management IPv4 address that the machine gets."""
    fingerprint: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the BMC's certificate, where no authority signed it."""
    mac: Annotated[str, Field(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")] | None = None
    """Of the management network card; needed where the machine has several and is installed."""
    generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """A higher number gives the installed system up, and installs the machine anew."""

    @property
    def pool(self) -> str:
        """The pool that it belongs to by its name; ``ctl`` for the controllers."""
        if re.fullmatch(rf"{CONTROLLER_NAME}\d+", self.name):
            return CONTROLLER_NAME
        return self.name.rpartition("-")[0]


class StorageNetwork(SpecModel):
    """Where Lustre's servers are reached over RDMA: each machine gets one address in it, over InfiniBand that of IPoIB."""

    cidr: NetworkV4 | Literal[""] = ""
    """The network, with the servers in it. A machine keeps the host part of its management address."""
    taken: list[AddressSpan] = Field(default=[], max_length=64)
    """Who else is in it: addresses, networks or ranges (``10.82.250.1-10.82.250.9``) that no machine may get. Lustre's servers of
    metadata and of data belong here: a mount names only the one of management."""
    given: bool = False
    """The site's own installer gives the addresses, and keeps them; then there is no ``cidr``."""
    controllers: bool = True
    """Whether controllers are on it too. Those without the card mount over TCP, by a ``@tcp`` address of the same servers."""


class MetalPlatform(PlatformModel):
    """Machines that are there already, named one by one."""

    whole_machines = True
    kind: Literal["metal"]
    machines: list[MetalMachine] = Field(default=[], max_length=65_536)
    """Every machine: the controller first, then pool by pool, compute nodes before spares."""
    management_cidr: NetworkV4 = "10.80.0.0/16"
    """Network of the machines' management addresses."""
    gateway: AddressV4 | Literal[""] = ""
    """Default gateway of that network; empty: none."""
    rails_cidr: NetworkV4 = "10.128.0.0/9"
    """Addresses of Ethernet rails: a /31 for each cable."""
    storage_network: StorageNetwork | None = None
    """For filesystems that are mounted over ``@o2ib``: LNet there works by addresses. Without it the site gives them."""
    switch: Key | None = None
    """Catalogue key of the rail switches, e.g. ``nvidia/qm9700``; without it 64 ports at the NIC's rate."""
    oversubscription: Annotated[str, Field(pattern=r"^[0-9]{1,9}([.:][0-9]{1,9})?$")] = "1"
    """Leaf ports down to up, e.g. ``1``, ``1.5`` or ``4:3``."""
    rail_only: bool = False
    """No spine: one leaf per rail."""
    image: ProfileOnly = ProfileOnly()
    """What the machines were installed from, by somebody else: ``{profile: …}``. The installer's is ``stock``."""
    installer: Installer | None = None
    """ISO or Ironic. Without it machines must have their operating system already, and their host keys below."""
    host_keys: dict[Name, PublicKey] = Field(default={}, max_length=65_536)
    """Public host key of each machine that is not installed by railbed, read at its console."""
    firmware: dict[Component, Version] = Field(default={}, max_length=64)
    """Firmware lock: component (``bios``, ``bmc``, ``nic``) → exact version."""
    firmware_baselines: dict[
        Name, Annotated[dict[Component, Version], Field(min_length=1, max_length=64)]
    ] = Field(default={}, max_length=64)
    """Firmware locks by name, for machines that name one: it adds to ``firmware`` and goes before it."""
    bios_settings: dict[
        Name, Annotated[dict[BiosAttribute, BiosValue], Field(min_length=1, max_length=256)]
    ] = Field(default={}, max_length=64)
    """Sets of BIOS settings by name: the BMC's own attribute names and values."""
    pools: dict[Name, MachineSetup] = Field(default={}, max_length=256)
    """What all machines of a pool have, where they do not say it themselves; ``ctl`` means the controllers."""
    ca_file: Annotated[str, Field(max_length=255, pattern=LINE_PATTERN)] = ""
    """Authority that signed the BMCs' certificates; empty: the system's own."""

    def setup_of(self, machine: MetalMachine) -> MachineSetup:
        """What ``machine`` has: its own words, else its pool's, else the defaults."""
        common = self.pools.get(machine.pool, MachineSetup())
        said = {
            name: getattr(one, name)
            for one in (common, machine)
            for name in MachineSetup.model_fields
            if name in one.model_fields_set
        }
        return MachineSetup(**said)

    def firmware_of(self, machine: MetalMachine) -> dict[str, str]:
        """The lock that holds for ``machine``: component → version."""
        name = self.setup_of(machine).firmware
        return {**self.firmware, **(self.firmware_baselines[name] if name else {})}

    def bios_of(self, machine: MetalMachine) -> dict[str, BiosValue]:
        """BIOS settings that ``machine`` must have; empty: none are checked."""
        name = self.setup_of(machine).bios
        return self.bios_settings[name] if name else {}
