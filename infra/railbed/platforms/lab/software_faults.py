"""Faults of installed software: another version took the place of the release's."""

from __future__ import annotations

from railbed.effects.lab import hardware
from railbed.effects.lab.vendor import DRIVER, FABRIC_MANAGER, StandIn, releases, stand_ins
from railbed.platforms.lab.fault import FaultContext, Injected

SWITCHES = f"{hardware.FOLDER}/packages"
"""Where stand-in packages look for what they are made to do on this node."""
MANAGER = "nvidia-fabricmanager.service"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qy --allow-downgrades --allow-change-held-packages install"


def _packages(context: FaultContext, component: str) -> tuple[StandIn, StandIn]:
    """(package that the release has, another that the repository has)."""
    wanted = context.contract.software.versions[component]
    carried = {one.program: one for one in stand_ins(releases()) if one.component == component}
    return carried[wanted], next(one for version, one in carried.items() if version != wanted)


def _install(one: StandIn, instead_of: StandIn | None = None) -> str:
    """apt never takes a held package away by itself."""
    away = f" {instead_of.package}-" if instead_of and instead_of.package != one.package else ""
    return f"{INSTALL} {one.package}={one.version}{away}; apt-mark hold {one.package}"


def driver_other(context: FaultContext, fault: Injected) -> None:
    context.ssh(fault, _install(_packages(context, DRIVER)[1]))


def driver_half(context: FaultContext, fault: Injected) -> None:
    """Another version is unpacked, and its installation stops there, as one does that finds no kernel headers."""
    other = _packages(context, DRIVER)[1]
    context.ssh(fault, f"mkdir -p {SWITCHES}; echo fail > {SWITCHES}/{other.package};"
                     f" if {INSTALL} {other.package}={other.version}; then exit 1; fi;"
                     f" apt-mark hold {other.package}")  # fmt: skip


def driver_back(context: FaultContext, fault: Injected) -> None:
    wanted = _packages(context, DRIVER)[0]
    context.ssh(fault, f"rm -f {SWITCHES}/{wanted.package}; dpkg --configure -a; {_install(wanted)}")


def manager_other(context: FaultContext, fault: Injected) -> None:
    """Another version takes the place of the right one, and refuses the driver when it starts."""
    wanted, other = _packages(context, FABRIC_MANAGER)
    context.ssh(fault, f"{_install(other, wanted)}; systemctl daemon-reload;"
                     f" if systemctl restart {MANAGER}; then exit 1; fi")  # fmt: skip


def manager_back(context: FaultContext, fault: Injected) -> None:
    wanted, other = _packages(context, FABRIC_MANAGER)
    there = _install(wanted, other)
    context.ssh(fault, f"{there}; systemctl daemon-reload; systemctl restart {MANAGER}")
