"""Whole states, read from and written to the engine's store as `pulumi stack export` and `import` have them.

The engine checks what it imports: that resources belong together, that they are of this stack, that their secrets can be
decrypted. Secrets stay encrypted all along.
"""

from __future__ import annotations

import json
import re
from typing import Any

from railbed.catalog import strict_yaml
from railbed.defaults import ENGINE_TIMEOUT_S, MAX_JSON_BYTES
from railbed.effects.engine import backups
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, RailbedError
from railbed.run import run

UNREADABLE = ("failed to load checkpoint", "snapshot integrity")
"""What the engine says of a state that was cut short, or whose resources do not belong together (Pulumi 3.259)."""
NO_STACK = re.compile("no stack named .* found")


class StateDamaged(RailbedError):
    """The engine cannot use the stack's state; nothing was changed."""

    code = "STATE_DAMAGED"


class StateLost(RailbedError):
    """The engine knows nothing of a stack that has resources; nothing was changed."""

    code = "STATE_LOST"


def pulumi(work: Workspace, env: dict[str, str], *words: str, stdin: str | None = None) -> str:
    """What a `pulumi` command printed. Raises StateDamaged where the stack's state is of no use to it, else CommandError."""
    argv = ["pulumi", "--non-interactive", *words]
    try:
        return run(
            argv, env=env, cwd=work.root, stdin=stdin, timeout_s=ENGINE_TIMEOUT_S, keep_bytes=MAX_JSON_BYTES
        ).stdout
    except CommandError as failed:
        if reason := unreadable(failed.message):
            raise damaged(work, reason) from None
        raise


def unreadable(text: str) -> str:
    """The line of an engine's output that says that a state is damaged; empty where none does."""
    lines = [line for line in text.splitlines() if any(words in line for words in UNREADABLE)]
    return re.sub(r"^.*?error:\s*", "", lines[-1], flags=re.IGNORECASE) if lines else ""


def damaged(work: Workspace, reason: str, present: str = "") -> StateDamaged:
    """The error, with the way back. ``present`` is the content's digest where the state can at least be read."""
    return StateDamaged(
        f"the engine's state of stack {work.stack} is damaged: {reason}",
        path=work.stack,
        hint=way_back(work, present),
    )


def way_back(work: Workspace, present: str = "") -> str:
    """The command that restores the newest good generation, or what else there is to do."""
    good = backups.newest_good(work, present)
    if good is None:
        return (
            "railbed has no good backup of it here; the engine's own older copies are below .pulumi/backups in its store "
            "(`pulumi stack import --file` puts one back)"
        )
    return (
        f"the newest good backup: `railbed state restore --stack {work.stack} {good.relative_to(work.root)}`"
    )


def export(work: Workspace, env: dict[str, str]) -> dict[str, Any] | None:
    """The stack's state; None where the store does not have the stack. Raises StateDamaged."""
    try:
        said = pulumi(work, env, "stack", "export", "--stack", work.stack)
    except CommandError as failed:
        if NO_STACK.search(failed.message):
            return None
        raise
    data: dict[str, Any] = json.loads(said)
    return data


def put(work: Workspace, env: dict[str, str], deployment: dict[str, Any]) -> None:
    """Replaces the stack's state, whatever it is. Raises BackupError where the engine does not take ``deployment``."""
    try:
        pulumi(work, env, "stack", "import", "--stack", work.stack, stdin=json.dumps(deployment))
    except CommandError as refused:
        raise backups.BackupError(
            f"the engine does not take this state; the present one stays:\n{refused.message}", path=work.stack,
            hint="take another backup: `railbed state list`",
        ) from None  # fmt: skip


def init(work: Workspace, env: dict[str, str], secrets_provider: str = "") -> None:
    """Makes the stack, empty; without a provider with the one that the stack file names."""
    if not secrets_provider and work.stack_file.is_file():
        secrets_provider = str((strict_yaml.read(work.stack_file) or {}).get("secretsprovider", ""))
    options = ["--secrets-provider", secrets_provider] if secrets_provider else []
    pulumi(work, env, "stack", "init", work.stack, *options, "--no-select")


def refuse_lost(work: Workspace) -> None:
    """Raises StateLost for a stack that the store does not have and that has a contract and a backup with resources.

    Another `up` would make everything a second time, beside what is there.
    """
    if work.contract_file.exists() and backups.newest_good(work) is not None:
        raise StateLost(
            f"the engine's store has no stack {work.stack}, but it was made and never destroyed", path=work.stack,
            hint=f"{way_back(work)}; if nothing of it exists any more, remove {work.contract_file}",
        )  # fmt: skip
