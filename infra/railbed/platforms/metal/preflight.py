"""A look at every BMC before anything is done: it answers, its login works, serial and firmware are the expected ones."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from railbed.defaults import METAL_WORKERS
from railbed.effects.bmc import bios, disks, inventory
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.firmware import differences
from railbed.effects.bmc.login import login
from railbed.effects.bmc.target import Target, Trust
from railbed.effects.workspace import find_root
from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.findings import Finding
from railbed.platforms.metal import nodes
from railbed.spec.installers import IronicInstaller
from railbed.spec.metal import MetalMachine, MetalPlatform


def look(plan: ClusterPlan, today: datetime.date) -> list[Finding]:
    """One finding for each machine; reads only. ``today`` decides nothing: owned machines have no dates."""
    del today
    place = nodes.place_of(plan)
    logins = nodes.credentials(find_root())
    with ThreadPoolExecutor(max_workers=METAL_WORKERS) as pool:
        return list(pool.map(lambda machine: _machine(place, machine, logins), place.machines))


def _machine(place: MetalPlatform, machine: MetalMachine, logins: Path) -> Finding:
    try:
        target = Target(machine.name, machine.serial, machine.bmc)
        trust = Trust(Path(place.ca_file) if place.ca_file else None, machine.fingerprint)
        bmc = Bmc(target, login(logins, machine.name), trust)
        who = inventory.identify(bmc)
        have = inventory.take(bmc)
        drift: list[object] = [*differences(place.firmware_of(machine), have.firmware)]
        setup = place.setup_of(machine)
        hints = [*([setup.disk] if setup.disk else []), *(setup.mirror or [])]
        disks.require(target, [hint.said() for hint in hints], have.drives)
        if not isinstance(place.installer, IronicInstaller):  # Ironic sets them when it installs
            drift += bios.differences(bmc, place.bios_of(machine))
    except RailbedError as problem:
        return Finding(machine.name, False, problem.message, problem.hint or f"see {machine.bmc}")
    if drift:
        hint = "update the firmware or the BIOS settings, or change the spec once what it shows is qualified"
        return Finding(machine.name, False, "; ".join(map(str, drift)), hint)
    return Finding(
        machine.name, True, f"{who.manufacturer} {who.model}, serial as expected, power {who.power}"
    )
