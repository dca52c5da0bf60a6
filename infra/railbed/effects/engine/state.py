"""The engine's state as a whole: moved to a team's store, backed up, restored. Secrets in it stay encrypted all along."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from railbed.defaults import ENGINE_TIMEOUT_S, MAX_JSON_BYTES
from railbed.effects.engine.backend import Team, local_backend, team_backend, write_team_backend
from railbed.effects.engine.session import environment
from railbed.effects.journal import now_iso
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.run import run

Say = Callable[[str], None]
SCHEMA = "railbed/state-backup/v1"


def init(work: Workspace, team: Team, say: Say) -> int:
    """Makes the stack in the team's store and moves what there is into it; returns how many resources moved.

    The old state stays where it was, as a backup. Secrets stay encrypted all along: moved as they are, then encrypted anew
    with the team's key by the engine itself.
    """
    if team_backend(work.root) not in ("", team.backend):
        raise UsageError(
            "this project has another backend already", code="STATE_ADDRESS", path="Pulumi.yaml:backend.url",
            found=team_backend(work.root), hint="back the state up, and remove the backend from Pulumi.yaml first",
        )  # fmt: skip
    env = environment(work, say)
    old = {**env, "PULUMI_BACKEND_URL": local_backend(work)}
    new = {**env, "PULUMI_BACKEND_URL": team.backend}
    deployment = _export(work, old) if _exists(work, old) else None
    if not _exists(work, new):
        _pulumi(work, new, "stack", "init", work.stack, "--secrets-provider", team.secrets, "--no-select")
    elif deployment is not None and _resources(json.loads(deployment)):
        raise UsageError(
            "the team's store has this stack already, and this checkout has resources of its own under that name",
            code="STATE_EXISTS", path=work.stack, hint="rename one of the two: they are different clusters",
        )  # fmt: skip
    moved = 0
    if deployment is not None:
        moved = _resources(json.loads(deployment))
        _pulumi(work, new, "stack", "import", "--stack", work.stack, stdin=deployment)
        # The state comes with the passphrase that encrypted it; this encrypts it anew, with the team's key.
        _pulumi(work, new, "stack", "change-secrets-provider", "--stack", work.stack, team.secrets)
    write_team_backend(work.root, team.backend)
    return moved


def backup(work: Workspace, file: Path, say: Say) -> int:
    """Writes state, stack file and contract into ``file`` (0600); returns the number of resources in it.

    Secrets in it are encrypted as in the state: without the passphrase or key the file opens no secret.
    """
    text = _export(work, environment(work, say))
    state = json.loads(text)
    body = {
        "schema": SCHEMA,
        "stack": work.stack,
        "at": now_iso(),
        "stack_file": work.stack_file.read_text(),
        "contract": json.loads(work.contract_file.read_text()) if work.contract_file.exists() else None,
        "state": state,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as building:  # 0600 by itself
        json.dump(body, building, indent=1)
    Path(building.name).rename(file)
    return _resources(state)


def read_backup(file: Path, stack: str) -> dict[str, Any]:
    """A backup of ``stack``. Raises UsageError for another stack's, another schema or half a file."""
    try:
        body = json.loads(file.read_text())
    except (OSError, ValueError) as broken:
        raise UsageError(f"not a backup: {broken}", code="STATE_BACKUP", path=str(file)) from None
    if not isinstance(body, dict) or body.get("schema") != SCHEMA or not isinstance(body.get("state"), dict):
        raise UsageError(
            "not a backup of railbed", code="STATE_BACKUP", path=str(file), allowed=SCHEMA,
            hint="`railbed state backup` writes one",
        )  # fmt: skip
    if body.get("stack") != stack:
        raise UsageError(
            "the backup is of another stack", code="STATE_BACKUP", path=str(file), found=body.get("stack"),
            allowed=stack, hint="name its stack with --stack",
        )  # fmt: skip
    return body


def difference(work: Workspace, body: dict[str, Any], say: Say) -> dict[str, list[str]]:
    """Resources that a restore would make the engine forget, and know again."""
    now = set(_urns(json.loads(_export(work, environment(work, say)))))
    then = set(_urns(body["state"]))
    return {"forgotten": sorted(now - then), "known_again": sorted(then - now)}


def restore(work: Workspace, body: dict[str, Any], say: Say) -> None:
    """Puts the backup's state in place of the present one. Changes no resource: `preview` shows what then differs."""
    _pulumi(
        work,
        environment(work, say),
        "stack",
        "import",
        "--stack",
        work.stack,
        stdin=json.dumps(body["state"]),
    )


def _urns(deployment: dict[str, Any]) -> list[str]:
    return [one["urn"] for one in (deployment.get("deployment") or {}).get("resources") or []]


def _resources(deployment: dict[str, Any]) -> int:
    return sum("pulumi:pulumi:Stack" not in urn for urn in _urns(deployment))


def _exists(work: Workspace, env: dict[str, str]) -> bool:
    listed = json.loads(_pulumi(work, env, "stack", "ls", "--json"))
    return any(one["name"].rsplit("/", 1)[-1] == work.stack for one in listed)


def _export(work: Workspace, env: dict[str, str], *options: str) -> str:
    return _pulumi(work, env, "stack", "export", "--stack", work.stack, *options)


def _pulumi(work: Workspace, env: dict[str, str], *words: str, stdin: str | None = None) -> str:
    argv = ["pulumi", "--non-interactive", *words]
    return run(
        argv, env=env, cwd=work.root, stdin=stdin, timeout_s=ENGINE_TIMEOUT_S, keep_bytes=MAX_JSON_BYTES
    ).stdout
