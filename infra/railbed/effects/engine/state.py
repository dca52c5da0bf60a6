"""The engine's state as a whole: moved to a team's store, backed up, restored. Secrets in it stay encrypted all along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from railbed.effects import files
from railbed.effects.engine import backups, deployments
from railbed.effects.engine.backend import Team, local_backend, team_backend, write_team_backend
from railbed.effects.engine.deployments import StateDamaged
from railbed.effects.engine.session import environment
from railbed.effects.journal import now_iso
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError

Say = Callable[[str], None]


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
    deployment = deployments.export(work, old)
    moved = backups.resources(deployment or {})
    if deployments.export(work, new) is None:
        deployments.init(work, new, team.secrets)
    elif moved:
        raise UsageError(
            "the team's store has this stack already, and this checkout has resources of its own under that name",
            code="STATE_EXISTS", path=work.stack, hint="rename one of the two: they are different clusters",
        )  # fmt: skip
    if deployment is not None:
        deployments.put(work, new, deployment)
        # The state comes with the passphrase that encrypted it; this encrypts it anew, with the team's key.
        deployments.pulumi(work, new, "stack", "change-secrets-provider", "--stack", work.stack, team.secrets)
    write_team_backend(work.root, team.backend)
    return moved


def backup(work: Workspace, file: Path, say: Say) -> int:
    """Writes state, stack file and contract into ``file`` (0600); returns the number of resources in it.

    Secrets in it are encrypted as in the state: without the passphrase or key the file opens no secret.
    """
    deployment = deployments.export(work, environment(work, say))
    if deployment is None:
        deployments.refuse_lost(work)
        raise UsageError(
            f"the engine's store has no stack {work.stack}",
            code="STACK_UNKNOWN",
            hint="run `railbed up` first",
        )
    backups.write(work, file, deployment)
    return backups.resources(deployment)


def archive_file(work: Workspace) -> Path:
    """A new place in the archive; what lies there stays until somebody removes it."""
    return work.archive / f"state-{now_iso().replace(':', '')}.json"


def difference(work: Workspace, body: dict[str, Any], say: Say) -> dict[str, list[str]]:
    """Resources that a restore would make the engine forget, and know again. Raises StateDamaged."""
    now = deployments.export(work, environment(work, say)) or {}
    here, there = set(backups.urns(now)), set(backups.urns(body["state"]))
    return {"forgotten": sorted(here - there), "known_again": sorted(there - here)}


def restore(work: Workspace, body: dict[str, Any], say: Say) -> Path | None:
    """Puts the backup's state in place of the present one, which is kept; returns where.

    Changes no resource: `preview` shows what then differs. The engine checks the state before it takes it. Of a damaged state
    in a team's store the engine keeps the copy: ``STACK.json.bak`` beside it.
    """
    env = environment(work, say)
    kept: Path | None = archive_file(work)
    try:
        now = deployments.export(work, env)
        if now is None:
            deployments.init(work, env)
            kept = None
        else:
            backups.write(work, archive_file(work), now, "restore")
    except StateDamaged:
        kept = _damaged_file(work)
    deployments.put(work, env, body["state"])
    return kept


def _damaged_file(work: Workspace) -> Path | None:
    """Copies the file of this checkout's own store as it is; None for a team's store."""
    if team_backend(work.root):
        return None
    found = list((work.local / "state/.pulumi/stacks").rglob(f"{work.stack}.json"))
    if not found:
        return None
    kept = archive_file(work)
    kept = kept.with_name(f"damaged-{kept.name}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    files.replace(kept, found[0].read_bytes(), mode=files.PRIVATE)
    return kept
