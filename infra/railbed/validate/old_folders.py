"""Folders that a validation makes on shared filesystems: their names, and what becomes of those that a killed one left.

A name has the stack's id, so that a run removes its own stack's alone, and when it was made.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.contract import Filesystem
from railbed.defaults import OLD_FOLDER_AGE_S, OLD_FOLDERS_LIMIT_S, OLD_FOLDERS_MOST, STORAGE_TIMEOUT_S
from railbed.effects import node_json
from railbed.text import few, shown
from railbed.validate.validation_run import ValidationRun

PROGRAM = Path(__file__).parent / "node" / "old_folders.py"
Kind = Literal["probe", "checkpoint", "job"]
UNKNOWN = "unknown"
"""In the place of the id where a checkout has no key: nothing of that name is ever removed."""
HOUR_S = 3600.0
MAX_NAMES = 3
Name = Annotated[str, Field(max_length=255)]


class Removed(node_json.Reply):
    name: Name
    age_s: float


class Kept(node_json.Reply):
    name: Name
    why: node_json.Words


class Unnamed(node_json.Reply):
    """Folders whose names do not say whose they are."""

    count: node_json.Whole
    oldest_s: float
    names: list[node_json.Words] = Field(max_length=8)


class Found(node_json.Reply):
    """Result of the sweep of one filesystem."""

    removed: list[Removed] = Field(max_length=OLD_FOLDERS_MOST)
    kept: list[Kept] = Field(max_length=OLD_FOLDERS_MOST)
    foreign: node_json.Whole
    """Of other stacks, of any age."""
    unnamed: Unnamed
    whole: bool


FOUND = TypeAdapter(Found)


def path(validation: ValidationRun, mount: str, kind: Kind) -> str:
    """A new folder's: nobody has it yet."""
    return f"{mount}/.railbed-{kind}-{validation.stack_id or UNKNOWN}-{time.time_ns():x}"


def clear(validation: ValidationRun, filesystem: Filesystem, node: str) -> None:
    """Removes on a filesystem, from ``node``, what killed runs of this stack left there, and reports it."""
    if not validation.stack_id:
        return
    limit_s = OLD_FOLDERS_LIMIT_S
    argv = [
        "timeout", "-k", "2", str(int(limit_s + STORAGE_TIMEOUT_S)), "python3", "-", filesystem.mount, validation.stack_id,
        f"{time.time():.3f}", f"{OLD_FOLDER_AGE_S:.0f}", str(OLD_FOLDERS_MOST), f"{limit_s:.0f}",
    ]  # fmt: skip
    done = validation.remote.run(
        node, argv, stdin=PROGRAM.read_text(), timeout_s=limit_s + STORAGE_TIMEOUT_S + 5, check=False
    )
    where = f"{filesystem.mount} (seen from {node})"
    if not done.ok:
        why = ended.why(done, "the sweep of old folders", node)
        validation.notes.append(f"{where}: folders that killed validations left were not looked for: {why}")
        return
    try:
        found = node_json.read(done.stdout, FOUND, node)
    except node_json.Unreadable as wrong:
        validation.notes.append(f"{where}: {wrong.message}")
        return
    validation.notes += [f"{where}: {said}" for said in sentences(found)]


def sentences(found: Found) -> list[str]:
    """In sentences; pure."""
    said = []
    if found.removed:
        names = few([f"{shown(one.name)} ({age(one.age_s)})" for one in found.removed], MAX_NAMES)
        said.append(f"removed {len(found.removed)} folders that killed validations left: {names}")
    if found.kept:
        names = few([f"{shown(one.name)}: {shown(one.why)}" for one in found.kept], MAX_NAMES, "; ")
        said.append(f"left {len(found.kept)} old folders of this stack in place: {names}")
    if found.unnamed.count:
        names = few([shown(one) for one in found.unnamed.names], MAX_NAMES)
        said.append(
            f"{found.unnamed.count} folders whose names do not say of which stack they are, the oldest unchanged for "
            f"{age(found.unnamed.oldest_s)}, such as {names}; remove them where no validation runs"
        )
    if not found.whole:
        said.append("there may be more old folders: the limit of one run was reached; the next one goes on")
    return said


def age(seconds: float) -> str:
    hours = max(seconds, 0.0) / HOUR_S
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
