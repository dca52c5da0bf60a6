"""Installing one machine, whatever installs it: check, host key, record before and after; the installer only writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from railbed.effects.bmc import hostkey, record
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.hostkey import HostKey
from railbed.effects.bmc.target import BmcError

Begin = Callable[[], object]
"""Writes down that the installation starts; may be called again."""


class Installer(Protocol):
    """Brings a system onto one machine."""

    def check(self, bmc: Bmc, folder: Path) -> None:
        """Raises RailbedError where it could not work; changes nothing at the machine. ``folder`` keeps notes of images."""

    def write(self, bmc: Bmc, key: HostKey, generation: int, begin: Begin) -> None:
        """Returns once the system is on disk; a run that was killed is repeated. Whether it may is already known.

        Calls ``begin`` just before the first act that costs the machine what is on it.
        """


def install(bmc: Bmc, installer: Installer, generation: int, folder: Path, secrets: Path) -> str:
    """Returns the public host key of the system that was written. The caller has asked ``must_install``.

    Raises UsageError for what the installer lacks (nothing touched yet), BmcError for all that a machine can do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    installer.check(bmc, folder)
    key = hostkey.ensure(secrets, bmc.target.name)

    def begin() -> None:
        record.save(folder, bmc.target, generation, "started", key.public)

    installer.write(bmc, key, generation, begin)
    record.save(folder, bmc.target, generation, "written", key.public)
    hostkey.forget(secrets, bmc.target.name)
    return key.public


def instance(bmc: Bmc, generation: int) -> str:
    """Name of one installation of one machine."""
    return f"{bmc.target.name}-{bmc.target.serial}-{generation}"


def known(bmc: Bmc, address: str, key: str, presented: hostkey.Presented) -> None:
    """Waits for the machine's SSH server and compares its host key.

    Raises BmcError ``HOST_KEY`` or ``HOST_SILENT``.
    """
    began = time.monotonic()
    while not (shown := presented(address)):
        if time.monotonic() - began >= bmc.patience.host_up_s:
            raise BmcError(
                bmc.target, "it is on, but no SSH server answers", code="HOST_SILENT", found=f"nothing at {address}:22",
                allowed=f"an answer within {bmc.patience.host_up_s:g} s",
                hint="look at its console: the network card's MAC, the cable and the boot disk are the usual causes",
            )  # fmt: skip
        time.sleep(bmc.patience.poll_s)
    if shown != key:
        raise BmcError(
            bmc.target, "another host key answers at its address; it is not trusted", code="HOST_KEY",
            found=shown, allowed=key,
            hint="find out which machine has that address, or who installed this one by hand",
        )  # fmt: skip
