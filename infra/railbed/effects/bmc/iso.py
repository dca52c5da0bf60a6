"""Installing by an installer image: media in, boot from disc once, wait for the installer's power-off, media out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed.effects.bmc import disks, image, inventory, media, power, seed_server
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.hostkey import HostKey
from railbed.effects.bmc.installing import Begin, instance
from railbed.effects.bmc.seed import BOOT_DISK, Seed, disc
from railbed.effects.bmc.target import BmcError


@dataclass(frozen=True)
class Iso:
    """The installer image must start the autoinstall by itself (``autoinstall`` on its boot line)."""

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
    disk: Mapping[str, str] = field(default_factory=dict)
    """Hint of the system disk; empty: the smallest SSD."""

    def check(self, bmc: Bmc, folder: Path) -> None:
        """Raises UsageError for an image with another checksum, BmcError for a hint that means no disk, or two."""
        image.compare(self.image_url, self.image_sha256, folder)
        if self.disk:
            disks.require(bmc.target, [self.disk], inventory.take(bmc).drives, pattern=True)

    def write(self, bmc: Bmc, key: HostKey, generation: int, begin: Begin) -> None:
        """Leaves the machine off. Raises BmcError for all that a machine can do."""
        power.turn_off(bmc)
        media.eject_all(bmc)
        content = disc(self._seed(bmc, key, generation))
        with seed_server.serving(self.seed_address, self.seed_port, self.seed_scheme) as seeds:
            url = seeds.offer(content)
            bmc.hide(url.rsplit("/", 2)[1])
            try:
                media.insert(bmc, "installer", self.image_url)
                media.insert(bmc, "seed", url)
                media.boot_disc_once(bmc)
                begin()
                power.turn_on(bmc)
                _finished(bmc)
            finally:
                seeds.withdraw(url)
        media.eject_all(bmc)

    def _seed(self, bmc: Bmc, key: HostKey, generation: int) -> Seed:
        disk: Mapping[str, Any] = disks.autoinstall(self.disk) if self.disk else BOOT_DISK
        return Seed(
            name=bmc.target.name, instance=instance(bmc, generation), mac=self.mac, address=self.address,
            authorized_keys=list(self.authorized_keys), host_key=key.public, host_key_private=key.private,
            gateway=self.gateway, nameservers=list(self.nameservers), disk=disk,
        )  # fmt: skip


def _finished(bmc: Bmc) -> None:
    watched = power.until(bmc, "off", bmc.patience.install_s)
    if watched is not None:
        raise BmcError(
            bmc.target, "the installer did not end", code="INSTALL_TIMEOUT", found=str(watched),
            allowed=f"off within {bmc.patience.install_s:g} s",
            hint="look at its console; an image without `autoinstall` on its boot line waits there for a yes",
        )  # fmt: skip
