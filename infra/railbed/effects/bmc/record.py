"""What was installed on a machine, on this machine's disk before it happens: the guard against installing over a system.

One file per serial number. It outlives a killed run, so the next one knows whether the machine is its own half-made
one or somebody's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from railbed import inputs
from railbed.effects import files
from railbed.effects.bmc.target import BmcError, Target
from railbed.effects.journal import now_iso
from railbed.errors import UsageError

REPAIR = "find out at the machine's console what was installed; then remove the file, and the machine counts as never installed"
IMAGE_NOTE = "image-"
"""Begins the names of other files in the folder: notes of images that were compared."""
State = Literal["started", "written", "installed"]
"""The installer was let loose; it has ended; the machine has shown its host key."""


@dataclass(frozen=True)
class Record:
    """The last installation."""

    serial: str
    name: str
    generation: int
    state: State
    host_key: str
    at: str


def load(folder: Path, serial: str) -> Record | None:
    """The record of that serial number, if there is one. Raises UsageError for one that is not whole."""
    file = _file(folder, serial)
    if not file.exists():
        return None
    found = inputs.read_json(file, hint=REPAIR)
    if not isinstance(found, dict) or found.keys() != {one.name for one in fields(Record)}:
        raise UsageError("the record of the installation is not whole", path=str(file), hint=REPAIR)
    return Record(**found)


def half_made(folder: Path) -> list[str]:
    """Names of the machines whose installation has begun and not ended. Raises as ``load``."""
    serials = [unquote(file.stem) for file in folder.glob("*.json") if not file.name.startswith(IMAGE_NOTE)]
    found = [load(folder, serial) for serial in serials]
    return [one.name for one in found if one and one.state == "started"]


def drop_half_made(folder: Path, serial: str) -> bool:
    """Takes a record of an installation that has begun and not ended away; the machine then counts as never installed."""
    last = load(folder, serial)
    if last is None or last.state != "started":
        return False
    _file(folder, serial).unlink()
    return True


def save(folder: Path, target: Target, generation: int, state: State, key: str) -> Record:
    """Replaces the record at once."""
    record = Record(target.serial, target.name, generation, state, key, now_iso())
    file = _file(folder, target.serial)
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace(file, json.dumps(asdict(record)))
    return record


def must_install(
    target: Target, generation: int, record: Record | None, made: int | None, power: str
) -> bool:
    """Whether the machine gets a new system; False: it has the wanted one.

    ``made`` is the generation in the engine's state, for a run that has no record of its own. Raises BmcError
    ``MACHINE_IN_USE`` where a system could be lost that nobody gave up: only a higher generation gives it up.
    """
    last = record.generation if record else made
    if record and record.state == "started" and record.generation == generation:
        return True
    if last is None:
        if power != "off":
            raise _in_use(
                target, f"power {power}, and no record that railbed installed it", "a machine that is off",
                "turn it off yourself if nobody needs it; without an installer in the spec it is taken as it is",
            )  # fmt: skip
        return True
    if generation > last:
        return True
    if generation < last or (record and record.name != target.name):
        raise _in_use(
            target, f"{record.name if record else target.name}, generation {last}",
            f"generation {last + 1} or higher, to give that system up", "raise the machine's generation",
        )  # fmt: skip
    return False


def _in_use(target: Target, found: str, allowed: str, hint: str) -> BmcError:
    return BmcError(
        target, "this machine has a system that would be lost; nothing was done", code="MACHINE_IN_USE",
        found=found, allowed=allowed, hint=hint,
    )  # fmt: skip


def _file(folder: Path, serial: str) -> Path:
    return folder / f"{quote(serial, safe='')}.json"
