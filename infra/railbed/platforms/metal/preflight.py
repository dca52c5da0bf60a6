"""A look at every BMC before anything is done: it answers, its login works, serial and firmware are the expected ones."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from railbed.catalog.machines import Machine
from railbed.defaults import METAL_WORKERS
from railbed.effects.bmc import bios, disks, inventory
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.firmware import differences
from railbed.effects.bmc.login import login, logins_file
from railbed.effects.bmc.target import Target, Trust
from railbed.effects.ironic import process
from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.findings import Finding
from railbed.platforms.metal import nodes, shortfalls
from railbed.spec.installers import IronicInstaller, IsoInstaller
from railbed.spec.metal import MetalMachine, MetalPlatform


def check(plan: ClusterPlan, root: Path) -> list[Finding]:
    """One finding for each machine, and one for an Ironic of railbed's own; reads only. ``root``: the checkout's."""
    place = nodes.place_of(plan)
    logins = logins_file(root)
    own = (
        [_embedded(place.installer)]
        if isinstance(place.installer, IronicInstaller) and place.installer.embedded
        else []
    )
    kinds = {pool.name: pool.machine for pool in plan.pools}
    with ThreadPoolExecutor(max_workers=METAL_WORKERS) as pool:
        return own + list(
            pool.map(lambda one: _machine(place, one, logins, kinds.get(one.pool)), place.machines)
        )


def _embedded(installer: IronicInstaller) -> Finding:
    """Whether this machine can run an Ironic: its programs, its address, its ports."""
    assert installer.embedded is not None
    where = installer.embedded
    try:
        maker = process.iso_maker()
        for port in (where.port, where.files_port):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((where.address, port))
    except RailbedError as problem:
        return Finding("Ironic", False, problem.message, problem.hint)
    except OSError as taken:
        hint = "name this machine's own address on the provisioning network, and ports that nobody has"
        return Finding("Ironic", False, f"{where.address}:{port}: {taken.strerror}", hint)
    return Finding(
        "Ironic", True, f"{where.address}, ports {where.port} and {where.files_port} are free; {maker}"
    )


def _machine(place: MetalPlatform, machine: MetalMachine, logins: Path, kind: Machine | None) -> Finding:
    """``kind``: what the catalogue says of the pool's machines; None for a controller."""
    try:
        target = Target(machine.name, machine.serial, machine.bmc)
        trust = Trust(Path(place.ca_file) if place.ca_file else None, machine.fingerprint)
        bmc = Bmc(target, login(logins, machine.name), trust)
        who = inventory.identify(bmc)
        have = inventory.take(bmc)
        drift: list[object] = [*differences(place.firmware_of(machine), have.firmware)]
        setup = place.setup_of(machine)
        hints = [*([setup.disk] if setup.disk else []), *(setup.mirror or [])]
        disks.require(
            target, [hint.said() for hint in hints], have.drives, isinstance(place.installer, IsoInstaller)
        )
        if not isinstance(place.installer, IronicInstaller):  # Ironic sets them when it installs
            drift += bios.differences(bmc, place.bios_of(machine))
    except RailbedError as problem:
        return Finding(machine.name, False, problem.message, problem.hint or f"see {machine.bmc}")
    if drift:
        hint = "update the firmware or the BIOS settings, or change the spec once what it shows is qualified"
        return Finding(machine.name, False, "; ".join(map(str, drift)), hint)
    short = [shortfalls.gpus(have, kind), shortfalls.memory(have, kind)] if kind else ["", ""]
    if any(short):
        # A machine that runs may have lost a part since: that is for its validation, and stops no other's `up`.
        installed = place.installer is not None and who.power == "off"
        hint = "have it repaired, take it out of the pool, or name the pool's machine as it is"
        return Finding(
            machine.name, False, "; ".join(filter(None, short)), hint, needed=installed and bool(short[0])
        )
    return Finding(
        machine.name, True, f"{who.manufacturer} {who.model}, serial as expected, power {who.power}"
    )
