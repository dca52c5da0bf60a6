"""What the machines of a metal platform must satisfy beyond their types: one owner for each serial, MAC and disk, and only what
the installer can do."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from railbed.defaults import CONTROLLER_NAME
from railbed.errors import SpecError
from railbed.spec.installers import IronicInstaller
from railbed.spec.machine_setup import DiskHint, MachineSetup, ManagementPort
from railbed.spec.metal import MetalMachine, MetalPlatform
from railbed.spec.problems import key_path
from railbed.text import few

IRONIC = "use `installer: {kind: ironic, …}`, or remove it"


def check(place: MetalPlatform, pools: Iterable[str], where: str) -> None:
    """Raises the first SpecError that the platform deserves; ``where`` is the path of ``platform``."""
    _installer(place, where)
    known = [*pools, CONTROLLER_NAME]
    for name in place.pools:
        _among(name, known, key_path(where, ["pools", name]), "is no pool", "name a pool, or `ctl`")
    for path, setup in _setups(place, where):
        _setup(place, setup, path)
    for index, machine in enumerate(place.machines):
        _machine(place, machine, key_path(where, ["machines", index]))
    _owned_once(place, where)


def _setups(place: MetalPlatform, where: str) -> Iterator[tuple[str, MachineSetup]]:
    yield from ((key_path(where, ["pools", name]), setup) for name, setup in place.pools.items())
    yield from ((key_path(where, ["machines", i]), machine) for i, machine in enumerate(place.machines))


def _installer(place: MetalPlatform, where: str) -> None:
    ironic = place.installer
    if not isinstance(ironic, IronicInstaller):
        return
    path = f"{where}.installer"
    if (ironic.embedded is None) == (ironic.url is None):
        both = ironic.url is not None
        raise SpecError(
            f"Ironic is {'both embedded and the site’s own' if both else 'neither embedded nor the site’s own'}",
            path=path, found=["embedded", "url"] if both else "none", allowed="one of `embedded` and `url`",
            hint="`embedded: {address: …}` for one that railbed starts, `url: https://…` for the site's own",
        )  # fmt: skip
    own = ironic.embedded
    if own is None and ironic.agent is None:
        raise SpecError(
            "a site's own Ironic boots machines into files that it must reach", path=f"{path}.agent", found="none",
            allowed="`agent: {kernel: …, ramdisk: …, esp: …}`", hint="name them; railbed builds them only for an embedded one",
        )  # fmt: skip
    if own is not None and ironic.ca_file:
        raise SpecError(
            "the embedded Ironic has a certificate of its own", path=f"{path}.ca_file", found=ironic.ca_file,
            allowed="only with `url`", hint="remove it",
        )  # fmt: skip
    if own is not None and own.port == own.files_port:
        raise SpecError(
            "API and file server of Ironic cannot share a port", path=f"{path}.embedded.files_port",
            found=own.files_port, allowed=f"another than {own.port}", hint="choose another",
        )  # fmt: skip
    if own is not None and ipaddress.ip_address(own.address).is_unspecified:
        raise SpecError(
            "Ironic holds passwords and host keys, and does not listen on every network",
            path=f"{path}.embedded.address", found=own.address,
            allowed="this machine's address on the provisioning network", hint="name that address",
        )  # fmt: skip


def _setup(place: MetalPlatform, setup: MachineSetup, path: str) -> None:
    if setup.bios is not None:
        _among(
            setup.bios, place.bios_settings, f"{path}.bios", "is no set of `bios_settings`", "define it there"
        )
    if setup.firmware is not None:
        _among(
            setup.firmware, place.firmware_baselines, f"{path}.firmware", "is no baseline of `firmware_baselines`",
            "define it there",
        )  # fmt: skip
    for key, hint in _hints(setup):
        if not hint.said():
            raise SpecError(
                "the disk is meant by nothing", path=f"{path}.{key}", allowed=sorted(DiskHint.model_fields),
                hint="say at least one of them",
            )  # fmt: skip
    for key, what in _asked(place, setup):
        raise SpecError(
            f"{_means(place)} does not do that: {what}", path=f"{path}.{key}", found=what, hint=IRONIC,
            code="UNSUPPORTED",
        )  # fmt: skip


def _means(place: MetalPlatform) -> str:
    return "the ISO installer" if place.installer else "a platform without an installer"


def _asked(place: MetalPlatform, setup: MachineSetup) -> Iterator[tuple[str, str]]:
    """What ``setup`` asks for and its installer has not."""
    if isinstance(place.installer, IronicInstaller):
        return
    if setup.disk is not None and place.installer is None:
        yield "disk", "choosing a disk"
    if setup.disk is not None and setup.disk.wwn is not None:
        yield "disk.wwn", "choosing a disk by its world wide name"
    if setup.mirror is not None:
        yield "mirror", "RAID 1 of the system disks"
    if setup.erase != "none":
        yield "erase", "erasing disks"
    if setup.network != ManagementPort():
        yield "network", "bonds, VLANs and MTUs of the management network"


def _machine(place: MetalPlatform, machine: MetalMachine, path: str) -> None:
    setup = place.setup_of(machine)
    if setup.disk is not None and setup.mirror is not None:
        raise SpecError(
            f"the system of {machine.name} would go to one disk and to a mirror of two", path=f"{path}.mirror",
            found=["disk", "mirror"], allowed="one of them", hint=f"remove one, at the machine or in pools.{machine.pool}",
        )  # fmt: skip
    if setup.mirror is not None and setup.mirror[0] == setup.mirror[1]:
        raise SpecError(
            f"both halves of the mirror of {machine.name} are one disk", path=f"{path}.mirror",
            found=setup.mirror[0].said(), allowed="two disks", hint="tell them apart, e.g. by `serial`",
            code="SPEC_DUPLICATE",
        )  # fmt: skip
    if setup.mirror is not None and setup.erase == "none":
        raise SpecError(
            f"the mirror of {machine.name} is made of disks that may hold something", path=f"{path}.mirror",
            found="erase: none", allowed="`erase: metadata` or `erase: full`", hint="say that they are erased before",
        )  # fmt: skip
    if isinstance(place.installer, IronicInstaller) and machine.fingerprint:
        raise SpecError(
            "Ironic pins no certificate of a BMC", path=f"{path}.fingerprint", found=machine.fingerprint,
            allowed="an authority for all BMCs: `ca_file`", hint="sign the BMCs' certificates, or use the ISO installer",
            code="UNSUPPORTED",
        )  # fmt: skip
    bond = setup.network.bond
    if bond is not None and machine.mac is not None and machine.mac not in bond.macs:
        raise SpecError(
            f"the management card of {machine.name} is not in its bond", path=f"{path}.mac", found=machine.mac,
            allowed=bond.macs, hint="remove `mac`, or put the card into the bond",
        )  # fmt: skip


def _owned_once(place: MetalPlatform, where: str) -> None:
    """A network card or a disk is in one machine: a second one that names it would get the other's address or system."""
    for what, key, of in (("network card", "mac", _cards), ("disk", "disk", _disks)):
        first: dict[str, str] = {}
        for index, machine in enumerate(place.machines):
            for value in of(place.setup_of(machine), machine):
                if first.setdefault(value, machine.name) != machine.name:
                    raise SpecError(
                        f"machines {first[value]} and {machine.name} have the {what} {value!r}",
                        path=key_path(where, ["machines", index, key]), found=value, allowed="each in one machine",
                        hint="read it again at the machine itself", code="SPEC_DUPLICATE",
                    )  # fmt: skip


def _cards(setup: MachineSetup, machine: MetalMachine) -> set[str]:
    return {
        *(setup.network.bond.macs if setup.network.bond else ()),
        *((machine.mac,) if machine.mac else ()),
    }


def _disks(setup: MachineSetup, machine: MetalMachine) -> list[str]:
    del machine
    said = [hint.said() for _, hint in _hints(setup)]
    return [one[key] for one in said for key in ("serial", "wwn") if key in one]


def _hints(setup: MachineSetup) -> Iterator[tuple[str, DiskHint]]:
    if setup.disk is not None:
        yield "disk", setup.disk
    yield from ((f"mirror[{i}]", hint) for i, hint in enumerate(setup.mirror or ()))


def _among(name: str, known: Iterable[str], path: str, problem: str, hint: str) -> None:
    listed = sorted(known)
    if name not in listed:
        raise SpecError(
            f"{name!r} {problem}", path=path, found=name, allowed=few(listed) or "none", hint=hint
        )
