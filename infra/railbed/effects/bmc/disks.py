"""Which disk of a machine a hint means, as far as its BMC shows disks: exactly one, or the machine is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from railbed.effects.bmc.inventory import Drive
from railbed.effects.bmc.target import BmcError, Target

Hint = Mapping[str, str]
"""``serial``, ``model``, ``wwn``, ``path`` → value. A BMC shows the first two."""


def require(target: Target, hints: Sequence[Hint], drives: Sequence[Drive], pattern: bool = False) -> None:
    """Raises BmcError ``DISK_HINT`` where a hint means no disk or several, or two hints mean the same one.

    Passes what the BMC does not show: then the installer decides, on the machine itself. ``pattern``: as ``autoinstall``
    compares, where a value that is part of another's means that one too.
    """
    meant: list[Drive] = []
    for hint in hints:
        found = meaning(hint, drives, pattern)
        if found is None:
            continue
        if len(found) != 1 or found[0] in meant:
            what = (
                "no disk"
                if not found
                else "several disks"
                if len(found) > 1
                else "a disk that another hint means"
            )
            raise BmcError(
                target, f"the hint {_words(hint)} means {what}; nothing was done", code="DISK_HINT",
                found=[f"{one.name}: {one.model or 'no model'}, serial {one.serial or 'unknown'}" for one in drives],
                allowed="exactly one disk for each hint", hint="say its serial number, as the BMC shows it",
            )  # fmt: skip
        meant += found


def meaning(hint: Hint, drives: Sequence[Drive], pattern: bool = False) -> list[Drive] | None:
    """The disks that agree with what of ``hint`` the BMC shows; None where it shows nothing of it."""
    shown = {
        key: hint[key] for key in ("serial", "model") if key in hint and any(getattr(d, key) for d in drives)
    }
    if not shown:
        return None

    def agrees(one: Drive) -> bool:
        has = [(getattr(one, key), value) for key, value in shown.items()]
        return all(value in found if pattern else value == found for found, value in has)

    return [one for one in drives if agrees(one)]


def autoinstall(hint: Hint) -> dict[str, Any]:
    """The hint as the Ubuntu installer's match (canonical-subiquity.readthedocs-hosted.com, disk selection): patterns, since
    udev puts the model before and the namespace behind an NVMe drive's serial number."""
    keys = {"serial": "serial", "model": "model", "path": "id_path"}
    return {
        keys[name]: f"*{value}*" if name in ("serial", "model") else value for name, value in hint.items()
    }


def root_device(hint: Hint) -> dict[str, str]:
    """The hint as Ironic's root device (docs.openstack.org/ironic, advanced: specifying the disk for deployment)."""
    return {
        "by_path" if name == "path" else name: f"/dev/disk/by-path/{value}" if name == "path" else value
        for name, value in hint.items()
    }


def _words(hint: Hint) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in hint.items())
