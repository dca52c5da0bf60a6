"""Physical machines as resources, and their part of the contract."""

from __future__ import annotations

from typing import Any

from railbed import contract
from railbed.effects.bmc import login
from railbed.effects.secrets import public_key
from railbed.effects.workspace import Workspace
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.metal.machines import Installation, IronicInstallation, IsoInstallation, Wanted
from railbed.spec import storage_network
from railbed.spec.installers import IsoInstaller
from railbed.spec.metal import MetalMachine, MetalPlatform

USER = "root"


def place_of(plan: ClusterPlan) -> MetalPlatform:
    """The plan's own machines. Raises Unsupported for a plan of another platform."""
    if not isinstance(plan.place, MetalPlatform):
        raise Unsupported("platform metal", f"a plan of platform {plan.platform}")
    return plan.place


def wanted(work: Workspace, plan: ClusterPlan, machine: MetalMachine) -> Wanted:
    """What is asked of one machine."""
    place = place_of(plan)
    return Wanted(
        name=machine.name,
        serial=machine.serial,
        bmc=machine.bmc,
        address=machine.address,
        credentials=login.logins_file(work.root),
        folder=work.dir / "metal",
        secrets=work.secrets,
        firmware=place.firmware_of(machine),
        bios=place.bios_of(machine),
        ca_file=place.ca_file,
        fingerprint=machine.fingerprint,
        generation=machine.generation,
        host_key=place.host_keys.get(machine.name, ""),
        installation=_installation(work, plan.name, place, machine),
    )


def _installation(
    work: Workspace, cluster: str, place: MetalPlatform, machine: MetalMachine
) -> Installation | None:
    installer, setup = place.installer, place.setup_of(machine)
    if installer is None:
        return None
    common: dict[str, Any] = {
        "authorized_keys": [public_key(work.operator_key)],
        "prefix": int(place.management_cidr.rsplit("/", 1)[1]),
        "gateway": place.gateway,
        "nameservers": installer.nameservers,
        "disk": setup.disk.said() if setup.disk else {},
    }
    if isinstance(installer, IsoInstaller):
        return IsoInstallation(
            image_url=installer.url, image_sha256=installer.sha256, seed_address=installer.seed_address,
            seed_port=installer.seed_port or 0, seed_scheme=installer.seed_scheme, mac=machine.mac or "", **common,
        )  # fmt: skip
    own, port = installer.embedded, setup.network
    cards = port.bond.macs if port.bond else [machine.mac] if machine.mac else []
    site = {
        "url": installer.url or "",
        "ca_file": installer.ca_file,
        "credentials": str(work.local / "ironic.yaml"),
    }
    return IronicInstallation(
        image_url=installer.image.url, image_sha256=installer.image.sha256, pool=machine.pool,
        owner=f"{cluster}/{work.stack}/{work.lab_id}", root=str(work.root),
        agent=installer.agent.model_dump() if installer.agent else {},
        where=own.model_dump() if own else {}, site={} if own else site, macs=cards,
        bond_mode=port.bond.mode if port.bond else "", vlan=port.vlan or 0, mtu=port.mtu or 0,
        mirror=[hint.said() for hint in setup.mirror or ()], bios=place.bios_of(machine), erase=setup.erase, **common,
    )  # fmt: skip


def node(
    place: MetalPlatform,
    machine: MetalMachine,
    host_key: str,
    pool: PlannedPool | None,
    place_in_pool: int,
    rails: list[contract.Rail],
    scalable_unit: int,
) -> contract.Node:
    """The machine's entry in the contract; without a pool it is a controller."""
    return contract.Node(
        name=machine.name,
        pool=pool.name if pool else "controller",
        role="controller" if pool is None else "compute" if place_in_pool < pool.nodes else "spare",
        machine=pool.machine.key if pool else "",
        gpus=pool.machine.gpus if pool else 0,
        cpus=pool.machine.known_cpus or 0 if pool else 0,
        memory_mib=pool.machine.known_memory_mib or 0 if pool else 0,
        address=machine.address,
        ssh=contract.Ssh(user=USER, host_keys=[host_key]),
        rails=rails,
        scalable_unit=scalable_unit,
        identity=contract.Identity(kind="serial", value=machine.serial),
        bmc=machine.bmc,
        bmc_trust=contract.BmcTrust(ca_file=place.ca_file, fingerprint=machine.fingerprint),
        storage=_storage(place, machine, controller=pool is None),
    )


def _storage(place: MetalPlatform, machine: MetalMachine, *, controller: bool) -> contract.StorageLink | None:
    address = storage_network.address_of(place, machine)
    if not address or (controller and place.storage_network and not place.storage_network.controllers):
        return None
    said = place.storage_network.pkey if place.storage_network else None
    return contract.StorageLink(
        address=address,
        interface=place.setup_of(machine).storage_interface,
        pkey=int(said, 16) if said else 0,
    )
