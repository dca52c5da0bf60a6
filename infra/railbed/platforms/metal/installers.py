"""Which installer a machine's inputs mean, made from them: plain JSON data on one side, effects on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from railbed.effects.bmc import inventory, login, record
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.installing import Installer
from railbed.effects.bmc.iso import Iso
from railbed.effects.ironic import process
from railbed.effects.ironic.client import Access
from railbed.effects.ironic.config import Where
from railbed.effects.ironic.installer import Agent, Ironic
from railbed.effects.ironic.node import NodeSetup, Port
from railbed.errors import UsageError
from railbed.platforms.resource import Data

Deploy = Literal["direct", "ramdisk"]
"""Ironic's deploy interface; machines get their disks written (``direct``)."""


def installer(install: Data, bmc: Bmc, inputs: Data, deploy: Deploy) -> Installer:
    """The installer that ``install`` describes, for the machine behind ``bmc``."""
    if install["kind"] == "iso":
        return _iso(install, bmc)
    return _ironic(install, bmc, inputs, deploy)


def _iso(install: Data, bmc: Bmc) -> Iso:
    plain: dict[str, Any] = {**install, "mac": install["mac"] or _only_card(bmc)}
    del plain["kind"]
    return Iso(**{key: value for key, value in plain.items() if value not in (None, {}, [])})


def _ironic(install: Data, bmc: Bmc, inputs: Data, deploy: Deploy) -> Ironic:
    port = Port(install["macs"] or [_only_card(bmc)], install["bond_mode"], install["vlan"], install["mtu"])
    setup = NodeSetup(
        pool=install["pool"], image_url=install["image_url"], image_sha256=install["image_sha256"], port=port,
        disk=install["disk"], mirror=install["mirror"], bios=install["bios"], erase=install["erase"], interface=deploy,
    )  # fmt: skip
    files = {part: (one["url"], one["sha256"]) for part, one in install["agent"].items()}
    where, site = install["where"], install["site"]
    return Ironic(
        setup=setup, agent=Agent(files), owner=install["owner"], address=install["address"],
        authorized_keys=install["authorized_keys"], root=Path(install["root"]),
        folder=_state(inputs), records=Path(inputs["folder"]), where=Where(**where) if where else None,
        site=_site(site) if site else None, bmc_authority=inputs["trust"]["ca_file"], gateway=install["gateway"],
        nameservers=install["nameservers"],
    )  # fmt: skip


def _state(inputs: Data) -> Path:
    """Of the stack's own Ironic."""
    return Path(inputs["folder"]).with_name("ironic")


def tidy(inputs: Data) -> None:
    """Removes what a killed run has left of an Ironic of railbed's own, once no machine of the stack is half-way."""
    process.tidy(_state(inputs), lambda: record.half_made(Path(inputs["folder"])))


def _site(site: Data) -> Access:
    who = login.of_ironic(Path(site["credentials"]))
    return Access(site["url"], who.user, who.password, site["ca_file"])


def _only_card(bmc: Bmc) -> str:
    macs = inventory.take(bmc).macs
    if len(macs) != 1:
        raise UsageError(
            f"{bmc.target.name} has several network cards, and which one is the management network's is not known",
            code="MANAGEMENT_MAC", path=str(bmc.target), found=macs, allowed="one of them in the spec",
        )  # fmt: skip
    return macs[0]
