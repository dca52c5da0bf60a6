"""Ironic as the installer of a machine: files compared first, then its own Ironic or the site's, then the course."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed.effects import lock
from railbed.effects.bmc import disks, image, inventory, record
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.hostkey import HostKey
from railbed.effects.bmc.installing import Begin, instance
from railbed.effects.bmc.system import System
from railbed.effects.ironic import process, venv
from railbed.effects.ironic.client import Access, Nodes
from railbed.effects.ironic.config import Where
from railbed.effects.ironic.course import Course
from railbed.effects.ironic.node import (
    Files,
    NodeSetup,
    digest,
    digest_of,
    driver_info,
    preparation_digest,
    steps,
    way,
)
from railbed.effects.ironic.ramdisk import build
from railbed.effects.ironic.states import Goal

PARTS = ("kernel", "ramdisk", "esp")
AUTHORITIES = "REQUESTS_CA_BUNDLE"
"""The variable by which this machine trusts an image server's authority; the embedded Ironic then does too."""


@dataclass(frozen=True)
class Agent:
    """What boots machines into the ramdisk that works on their disks: part → URL and SHA-256. Empty: built on this machine."""

    files: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Ironic:
    """The second installer. ``where`` for railbed's own, ``site`` for the site's."""

    setup: NodeSetup
    agent: Agent
    owner: str
    """Stack that the machine belongs to."""
    address: str
    """IPv4 with prefix length."""
    authorized_keys: Sequence[str]
    root: Path
    """The checkout: the embedded one's environment is below it."""
    folder: Path
    """State of the embedded one."""
    records: Path
    """Of the stack's installations."""
    where: Where | None = None
    site: Access | None = None
    bmc_authority: str = ""
    """File of those that signed the BMCs' certificates; empty: the system's own."""
    gateway: str = ""
    nameservers: Sequence[str] = ()

    def check(self, bmc: Bmc, folder: Path) -> None:
        """Compares image and ramdisk, looks for the disks that are meant and, for an Ironic of railbed's own, for its parts."""
        image.compare(self.setup.image_url, self.setup.image_sha256, folder)
        for url, sha256 in self.agent.files.values():
            image.compare(url, sha256, folder)
        hints = [*([self.setup.disk] if self.setup.disk else []), *self.setup.mirror]
        if hints:
            disks.require(bmc.target, hints, inventory.take(bmc).drives)
        if self.where is not None:
            process.iso_maker()
            venv.ensure(self.root)
            if not self.agent.files:
                self._built()

    def write(self, bmc: Bmc, key: HostKey, generation: int, begin: Begin) -> None:
        """Raises BmcError for all that the machine does, RailbedError for Ironic."""
        with self._reached() as (nodes, files, authority):
            self._course(bmc, key, generation, nodes, files, authority).follow(begin)
            if self.where is not None:
                nodes.forget(bmc.target.name)

    @contextmanager
    def _reached(self) -> Iterator[tuple[Nodes, Files, str | bool]]:
        if self.where is None:
            assert self.site is not None
            urls = {part: url for part, (url, _) in self.agent.files.items()}
            yield Nodes(self.site), Files(**urls), True
            return
        with process.running(
            self.folder,
            self.where,
            venv.ensure(self.root),
            lambda: record.half_made(self.records),
            os.environ.get(AUTHORITIES, ""),
        ) as own:
            files = Files(**{part: f"file://{self._kept(own.folder, part)}" for part in PARTS})
            yield Nodes(own.access), files, self._authority(own.folder)

    def _course(
        self, bmc: Bmc, key: HostKey, generation: int, nodes: Nodes, files: Files, authority: str | bool
    ) -> Course:
        system = System(
            name=bmc.target.name, instance=instance(bmc, generation), address=self.address,
            authorized_keys=self.authorized_keys, host_key=key.public, host_key_private=key.private, gateway=self.gateway,
            nameservers=self.nameservers,
        )  # fmt: skip

        def login() -> dict[str, Any]:
            return driver_info(
                bmc.address, bmc.system_path, bmc.login.user, bmc.login.password, authority, files
            )

        goal = Goal(
            self.owner, generation, bool(steps(self.setup)), serial=bmc.target.serial, bmc=way(bmc.address, bmc.system_path),
            digest=digest_of(self.setup, system, generation), preparation=preparation_digest(self.setup, generation),
            key=digest(key.public), embedded=self.where is not None,
        )  # fmt: skip
        return Course(nodes, bmc, goal, self.setup, system, login)

    def _kept(self, folder: Path, part: str) -> Path:
        """A file of the ramdisk in the state folder, by its digest: what Ironic boots is what was compared."""
        url, sha256 = self.agent.files.get(part) or ("", self._built().sha256(part))
        target = folder / "agent" / sha256
        with lock.acquire(folder.with_suffix(".fetch"), "the agent's files", wait_s=600):
            if not target.exists():
                if url:
                    image.fetch(url, sha256, target)
                else:
                    self._built().copy(part, target)
                target.chmod(0o644)
        return target

    def _built(self) -> build.Built:
        return build.ensure(self.root, logging.getLogger(__name__).info)

    def _authority(self, folder: Path) -> str | bool:
        if not self.bmc_authority:
            return True
        target = folder / "bmc-authority.pem"
        shutil.copyfile(self.bmc_authority, target)
        target.chmod(0o644)
        return str(target)
