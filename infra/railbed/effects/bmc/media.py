"""Virtual media and the next boot: images that the BMC fetches by URL and shows to the machine as drives."""

from __future__ import annotations

import time
from typing import Any, Literal
from urllib.parse import urlsplit

import sushy
from sushy import exceptions

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.target import BmcError

Role = Literal["installer", "seed"]
DISCS = {sushy.VIRTUAL_MEDIA_CD, sushy.VIRTUAL_MEDIA_DVD}
STICKS = {sushy.VIRTUAL_MEDIA_USBSTICK}
BOOTED = (sushy.BOOT_SOURCE_TARGET_CD, sushy.BOOT_SOURCE_TARGET_USB_CD)


def insert(bmc: Bmc, role: Role, url: str) -> None:
    """Shows the image at ``url`` in the drive for ``role``; what was in it goes out.

    Raises BmcError ``MEDIA`` where the BMC cannot fetch it, and ``BMC_LACKS`` where there is no drive for it.
    """

    def request(system: Any) -> None:
        drive = _drive(system, role)
        if drive.inserted and drive.image == url:
            return
        if drive.inserted:
            drive.eject_media()
        drive.insert_media(url)

    try:
        bmc.act(f"insert the {role} image", request)
    except BmcError as problem:
        if problem.code != "BMC_ANSWER":
            raise
        raise _missing(bmc, role, url, f"{problem.found}: {problem.message}") from None
    deadline = time.monotonic() + bmc.patience.media_s
    while not bmc.act("read its virtual media", lambda system: _drive(system, role).inserted):
        if time.monotonic() >= deadline:
            raise _missing(bmc, role, url, f"not inserted after {bmc.patience.media_s:g} s")
        time.sleep(bmc.patience.poll_s)


def eject_all(bmc: Bmc) -> int:
    """Empties every drive; returns how many held something."""

    def request(system: Any) -> int:
        full = [drive for drive in _drives(system) if drive.inserted]
        for drive in full:
            drive.eject_media()
        return len(full)

    return bmc.act("eject its virtual media", request)


def inserted(bmc: Bmc) -> list[str]:
    """URLs of the images in the drives."""
    return bmc.act(
        "read its virtual media",
        lambda system: [str(drive.image) for drive in _drives(system) if drive.inserted],
    )


def boot_disc_once(bmc: Bmc) -> None:
    """The next boot, and only that one, is from the virtual disc by UEFI. Raises BmcError where it is not taken."""

    def request(system: Any) -> str:
        system.set_system_boot_options(
            target=sushy.BOOT_SOURCE_TARGET_CD, enabled=sushy.BOOT_SOURCE_ENABLED_ONCE,
            mode=sushy.BOOT_SOURCE_MODE_UEFI,
        )  # fmt: skip
        system.refresh(force=True)
        # Some BMCs show "Once" as "Continuous", so only the drive is compared.
        target = system.boot.target if system.boot else None
        return "" if target in BOOTED else str(target)

    other = bmc.act("set the next boot", request)
    if other:
        raise BmcError(
            bmc.target, "the BMC took the boot order, but shows another", code="BMC_BOOT", found=other, allowed="Cd",
            hint="set the next boot to the virtual disc by hand, or update the BMC's firmware",
        )  # fmt: skip


def _drives(system: Any) -> list[Any]:
    """The system's drives; older BMCs have them at their manager (Redfish moved them in 2020.4)."""
    try:
        return list(system.virtual_media.get_members())
    except exceptions.MissingAttributeError:
        return [drive for manager in system.managers for drive in manager.virtual_media.get_members()]


def _drive(system: Any, role: Role) -> Any:
    drives = _drives(system)
    discs = [one for one in drives if DISCS & set(one.media_types)]
    sticks = [one for one in drives if STICKS & set(one.media_types) and one not in discs]
    usable = discs[:1] if role == "installer" else [*discs[1:], *sticks]
    if not usable:
        wanted = (
            "a virtual disc" if role == "installer" else "a second virtual disc or USB stick for the seed"
        )
        raise exceptions.MissingAttributeError(attribute=wanted, resource=system.path)
    return usable[0]


def _missing(bmc: Bmc, role: Role, url: str, found: str) -> BmcError:
    return BmcError(
        bmc.target, f"the {role} image is not in the drive", code="MEDIA", found=found,
        allowed=f"an image that the BMC can fetch from {urlsplit(url).netloc}",
        hint="fetch the URL from the BMC's own network; check that the BMC may reach that address and port",
    )  # fmt: skip
