"""Driving the program `infra/` on the real engine: up, preview, destroy, outputs, stale locks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from railbed import inputs
from railbed.effects.engine import backups, deployments
from railbed.effects.engine.backend import local_backend, team_backend
from railbed.effects.engine.binaries import ensure_engine
from railbed.effects.secrets import passphrase_file
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError
from railbed.run import alive

if TYPE_CHECKING:
    import pulumi.automation as auto

OnEvent = Callable[[Any], None]


class EngineError(RailbedError):
    """The engine stopped: a resource failed, or the program did."""

    code = "ENGINE"


@dataclass(frozen=True)
class Changes:
    """How many resources an operation created, updated, deleted, replaced, left alone."""

    by_kind: dict[str, int]

    @property
    def total(self) -> int:
        """Everything but what stayed the same."""
        return sum(count for kind, count in self.by_kind.items() if kind != "same")


def environment(work: Workspace, say: Callable[[str], None]) -> dict[str, str]:
    """The variables that make `pulumi` in this checkout use its engine, state and passphrase, and nothing outside."""
    folders = [str(folder) for folder in ensure_engine(work, say)]
    (work.local / "state").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join(
            [*folders, str(work.root / ".venv/bin"), str(work.local / "uv/bin"), os.environ.get("PATH", "")]
        ),
        "PULUMI_HOME": str(work.local / "pulumi"),
        "PULUMI_BACKEND_URL": team_backend(work.root) or local_backend(work),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase_file(work)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


class Session:
    """One stack on the engine."""

    def __init__(self, work: Workspace, say: Callable[[str], None]) -> None:
        self.work = work
        self.env = environment(work, say)
        # The Automation API looks `pulumi` up in this process's own PATH.
        os.environ.update(self.env)
        self._made: dict[str, Any] | None = None
        """Outputs of this session's last `up`: with it the engine was asked for them."""

    def open(self) -> auto.Stack:
        """The stack, made (with a salt in its file) where it does not exist yet. Raises StateLost where it did."""
        import pulumi.automation as auto  # 0.3 s of processor that only what drives the engine should pay

        workspace = auto.LocalWorkspace(work_dir=str(self.work.root), env_vars=self.env)
        with self._explaining():
            try:
                return auto.Stack.select(self.work.stack, workspace)
            except auto.StackNotFoundError:
                deployments.refuse_lost(self.work)
                return auto.Stack.create(self.work.stack, workspace)

    def backup(self, before: str) -> Path | None:
        """Keeps a generation of the state, where it changed since the last one; ``before`` is what comes next.

        Raises StateDamaged, and RailbedError where it cannot be written: nothing may then be changed.
        """
        return backups.keep(self.work, deployments.export(self.work, self.env) or {}, before)

    def up(self, on_event: OnEvent | None = None) -> Changes:
        """Refreshes (so that drift is seen), then makes what the program declares."""
        with self._explaining():
            result = self.open().up(on_event=on_event, refresh=True, color="never", suppress_progress=True)
        self._made = {name: output.value for name, output in result.outputs.items()}
        return _changes(result.summary.resource_changes)

    def preview(self, on_output: Callable[[str], None]) -> Changes:
        """What `up` would do, in the engine's words; changes nothing."""
        with self._explaining():
            result = self.open().preview(on_output=on_output, color="never", refresh=True)
        return _changes(result.change_summary)

    def destroy(self, on_event: OnEvent | None = None) -> tuple[Changes, list[str]]:
        """Deletes every resource but protected ones, whose names are returned: filesystems that the spec keeps."""
        stack = self.open()
        with self._explaining():
            result = stack.destroy(
                on_event=on_event, color="never", suppress_progress=True, exclude_protected=True
            )
            kept = _protected(stack.export_stack().deployment)
        return _changes(result.summary.resource_changes), kept

    def remove(self) -> None:
        """Removes the stack from the engine's store, once it has no resource; its file stays."""
        with self._explaining():
            self.open().workspace.remove_stack(self.work.stack, preserve_config=True)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets decrypted; empty before the first `up`."""
        stack = self.open()
        with self._explaining():
            return {name: output.value for name, output in stack.outputs().items()}

    def output(self, name: str) -> Any:
        """An output's plain value, after an `up` of this session as it came with it; None before the stack's first one."""
        return (self.outputs() if self._made is None else self._made).get(name)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turns what the engine fails with into an error that says what to do."""
        from pulumi.automation import CommandError

        try:
            yield
        except CommandError as failed:
            raise self._explained(failed) from None

    def _explained(self, failed: auto.CommandError) -> RailbedError:
        text = str(failed)
        if "currently locked" in text:
            return UsageError("another operation holds this stack's lock", code="BUSY", path=self.work.stack,
                              found=_reason(text), hint="wait until it has ended")  # fmt: skip
        if reason := deployments.unreadable(text):
            return deployments.damaged(self.work, reason, self._present())
        return EngineError(
            f"the engine stopped:\n{_reason(text)}", hint="mend the cause and run the same command again"
        )

    def _present(self) -> str:
        """Digest of the state's content where the engine can read it, though it does not use it."""
        try:
            return backups.content_digest(deployments.export(self.work, self.env) or {})
        except RailbedError:
            return ""

    def drop_stale_locks(self) -> list[str]:
        """Removes locks of processes of this machine that are gone (`kill -9`); returns whose they were.

        In a team's store nothing is removed: a lock there may be anybody's.
        """
        dropped: list[str] = []
        if team_backend(self.work.root):
            return dropped
        for lock in (self.work.local / "state/.pulumi/locks").rglob("*.json"):
            if lock.parent.name != self.work.stack:
                continue
            try:
                holder = inputs.read_json(lock)
            except RailbedError:
                continue
            holder = holder if isinstance(holder, dict) else {}
            here, pid = holder.get("hostname") == os.uname().nodename, holder.get("pid")
            if here and isinstance(pid, int) and not alive(pid):
                lock.unlink()
                dropped.append(f"process {holder.get('pid')} of {holder.get('timestamp', 'unknown time')}")
        return dropped


def _protected(deployment: Mapping[str, Any] | None) -> list[str]:
    """Names of the protected resources that a state still has."""
    resources = (deployment or {}).get("resources") or []
    return [str(one["urn"]).rsplit("::", 1)[-1] for one in resources if one.get("protect")]


def _changes(counts: Mapping[Any, int] | None) -> Changes:
    """Counts by plain name, whether the engine gave names or members of its enum."""
    return Changes({str(getattr(kind, "value", kind)): count for kind, count in (counts or {}).items()})


def _reason(text: str) -> str:
    """The lines of an engine's output that say what went wrong, without the stack's outputs, which would drown them."""
    lines, outputs = [], False
    for line in text.splitlines():
        heading = bool(line.strip()) and not line.startswith((" ", "\t", "+", "-", "~"))
        outputs = line.strip() == "Outputs:" or (outputs and not heading)
        if line.strip() and not outputs:
            lines.append(line.rstrip())
    marked = [line for line in lines if "error" in line.lower() or line.startswith("  ")]
    return "\n".join((marked or lines)[-30:])
