"""Backups of the engine's state: one file each, checked by its digest; the last generations are kept by themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railbed import inputs
from railbed.defaults import KEPT_STATES
from railbed.effects import files
from railbed.effects.journal import now_iso
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError, RailbedError, UsageError

SCHEMA = "railbed/state-backup/v1"
DIGEST = "sha256"
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""By these the engine marks a secret in a state (pulumi/sdk/go/common/resource/sig/sig.go)."""


@dataclass(frozen=True)
class Backup:
    """One file, as `railbed state list` shows it."""

    file: Path
    at: str = ""
    before: str = ""
    """The command that changed the state afterwards; empty for a backup that an operator asked for."""
    resources: int = 0
    trouble: str = ""
    """Why it cannot be restored; empty for a good one."""


def urns(deployment: Mapping[str, Any]) -> list[str]:
    """The names of all resources in what `pulumi stack export` printed."""
    return [one["urn"] for one in (deployment.get("deployment") or {}).get("resources") or []]


def resources(deployment: Mapping[str, Any]) -> int:
    """How many there are, without the stack itself."""
    return sum("pulumi:pulumi:Stack" not in urn for urn in urns(deployment))


def content_digest(deployment: Mapping[str, Any]) -> str:
    """SHA-256 of a state without what each operation writes anew: manifest, cipher text of secrets, and order.

    The engine writes resources, and what one depends on, in the order in which they were done this time.

    A secret that alone has another value is no change: each `up` takes the values from the checkout again.
    """
    inner = deployment.get("deployment") or {}
    rest = {key: _without_ciphers(value) for key, value in inner.items() if key != "manifest"}
    ordered = sorted((_ordered(one) for one in rest.get("resources") or []), key=_canonical)
    return _sha256({**rest, "resources": ordered})


def _contract(work: Workspace) -> Any:
    """The contract's document; None before there is one that is whole: `railbed up` writes it anew."""
    try:
        return inputs.read_json(work.contract_file, error=ContractError)
    except ContractError:
        return None


def write(work: Workspace, file: Path, deployment: Mapping[str, Any], before: str = "") -> None:
    """Writes state, stack file and contract into ``file`` (0600). Secrets in it stay encrypted as in the state."""
    body = {
        "schema": SCHEMA,
        "stack": work.stack,
        "at": now_iso(),
        "before": before,
        "stack_file": work.stack_file.read_text(),
        "contract": _contract(work),
        "state": deployment,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace(file, json.dumps({**body, DIGEST: _sha256(body)}, indent=1) + "\n", mode=files.PRIVATE)


def read(file: Path, stack: str) -> dict[str, Any]:
    """A backup of ``stack``. Raises UsageError for another stack's, another schema, or a file that was cut or changed."""
    body = inputs.read_json(file, error=BackupError, hint="`railbed state list` names those that are good")
    if not isinstance(body, dict) or body.get("schema") != SCHEMA or not isinstance(body.get("state"), dict):
        raise BackupError(
            "not a backup of railbed",
            path=str(file),
            allowed=SCHEMA,
            hint="`railbed state backup` writes one",
        )
    if body.get("stack") != stack:
        raise BackupError(
            "the backup is of another stack", path=str(file), found=body.get("stack"), allowed=stack,
            hint="name its stack with --stack",
        )  # fmt: skip
    found = _sha256({key: value for key, value in body.items() if key != DIGEST})
    if body.get(DIGEST, found) != found:  # railbed 0.1.0 wrote none
        raise BackupError(
            "the backup was changed after it was written", path=f"{file}:{DIGEST}", found=found, allowed=body[DIGEST],
            hint="`railbed state list` names those that are good",
        )  # fmt: skip
    return body


class BackupError(UsageError):
    """The file is no backup that can be restored; nothing was changed."""

    code = "STATE_BACKUP"


def keep(work: Workspace, deployment: Mapping[str, Any], before: str) -> Path | None:
    """Writes a generation where the state is another one than in the newest, and removes those beyond ``KEPT_STATES``.

    Raises RailbedError where it cannot be written: the caller must then not change the state.
    """
    known = generations(work)
    if not resources(deployment) or (known and _same(known[0], work.stack, deployment)):
        return None
    number = int(known[0].name.partition("-")[0]) + 1 if known else 1
    file = folder(work) / f"{number:06d}-{before}.json"
    try:
        write(work, file, deployment, before)
    except RailbedError as failed:
        raise RailbedError(
            f"the engine's state cannot be backed up, so nothing was changed: {failed.message}", code=failed.code,
            path=failed.path, hint=failed.hint,
        ) from None  # fmt: skip
    for old in generations(work)[KEPT_STATES:]:
        old.unlink()
    return file


def folder(work: Workspace) -> Path:
    """Where the generations are. It survives a destroy."""
    return work.archive / "state"


def generations(work: Workspace) -> list[Path]:
    """The files of the generations, newest first."""
    return sorted(folder(work).glob("[0-9]*-*.json"), reverse=True)


def listed(work: Workspace) -> list[Backup]:
    """Generations, newest first, then what an operator had written into the archive; each was read and checked."""
    return [
        _examined(file, work.stack)
        for file in [*generations(work), *sorted(work.archive.glob("state-*.json"))]
    ]


def newest_good(work: Workspace, but: str = "") -> Path | None:
    """The newest generation that can be restored and whose content has another digest than ``but``."""
    for file in generations(work):
        try:
            if content_digest(read(file, work.stack)["state"]) != but:
                return file
        except BackupError:
            continue
    return None


def _same(file: Path, stack: str, deployment: Mapping[str, Any]) -> bool:
    try:
        return content_digest(read(file, stack)["state"]) == content_digest(deployment)
    except BackupError:
        return False


def _examined(file: Path, stack: str) -> Backup:
    try:
        body = read(file, stack)
    except BackupError as broken:
        return Backup(file, trouble=broken.message)
    return Backup(file, str(body.get("at", "")), str(body.get("before", "")), resources(body["state"]))


def _without_ciphers(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_ciphers(one) for one in value]
    if not isinstance(value, dict):
        return value
    hidden = "ciphertext" if value.get(SIGNATURE) == SECRET else None
    return {key: _without_ciphers(one) for key, one in value.items() if key != hidden}


def _ordered(resource: dict[str, Any]) -> dict[str, Any]:
    by_property = {key: sorted(urns) for key, urns in (resource.get("propertyDependencies") or {}).items()}
    dependencies = sorted(resource.get("dependencies") or [])
    return {**resource, "dependencies": dependencies, "propertyDependencies": by_property}


def _canonical(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def _sha256(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(data).encode()).hexdigest()
