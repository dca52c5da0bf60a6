"""Installing one machine: media in, boot from disc once, wait for the installer's power-off, media out, boot, known key."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed.effects.bmc import hostkey, image, media, power, record, seed_server
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.seed import BOOT_DISK, Seed, disc
from railbed.effects.bmc.target import BmcError


@dataclass(frozen=True)
class Install:
    """How a machine gets its system. The image must start the autoinstall by itself (``autoinstall`` on its boot line)."""

    image_url: str
    image_sha256: str
    mac: str
    address: str
    """IPv4 with prefix length."""
    authorized_keys: Sequence[str]
    seed_address: str
    """This machine's address on the BMCs' network."""
    seed_port: int = 0
    seed_scheme: seed_server.Scheme = "https"
    gateway: str = ""
    nameservers: Sequence[str] = ()
    disk: Mapping[str, Any] = field(default_factory=lambda: BOOT_DISK)


def install(bmc: Bmc, wish: Install, generation: int, folder: Path, secrets: Path) -> str:
    """Installs and leaves the machine off; returns its public host key. The caller has asked ``must_install``.

    Raises UsageError for an image with another checksum (nothing touched yet), BmcError for all that a machine can do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image.compare(wish.image_url, wish.image_sha256, folder)
    private, public = hostkey.ensure(secrets, bmc.target.name)
    record.save(folder, bmc.target, generation, "started", public)
    power.turn_off(bmc)
    media.eject_all(bmc)
    content = disc(_seed(bmc, wish, generation, private, public))
    with seed_server.serving(wish.seed_address, wish.seed_port, wish.seed_scheme) as seeds:
        url = seeds.offer(content)
        bmc.hide(url.rsplit("/", 2)[1])
        try:
            media.insert(bmc, "installer", wish.image_url)
            media.insert(bmc, "seed", url)
            media.boot_disc_once(bmc)
            power.turn_on(bmc)
            _finished(bmc)
        finally:
            seeds.withdraw(url)
    media.eject_all(bmc)
    record.save(folder, bmc.target, generation, "written", public)
    hostkey.forget(secrets, bmc.target.name)
    return public


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


def _seed(bmc: Bmc, wish: Install, generation: int, private: str, public: str) -> Seed:
    return Seed(
        name=bmc.target.name, instance=f"{bmc.target.name}-{bmc.target.serial}-{generation}", mac=wish.mac,
        address=wish.address, authorized_keys=list(wish.authorized_keys), host_key=public, host_key_private=private,
        gateway=wish.gateway, nameservers=list(wish.nameservers), disk=wish.disk,
    )  # fmt: skip


def _finished(bmc: Bmc) -> None:
    watched = power.until(bmc, "off", bmc.patience.install_s)
    if watched is not None:
        raise BmcError(
            bmc.target, "the installer did not end", code="INSTALL_TIMEOUT", found=str(watched),
            allowed=f"off within {bmc.patience.install_s:g} s",
            hint="look at its console; an image without `autoinstall` on its boot line waits there for a yes",
        )  # fmt: skip
