"""How far a full validation has come, on disk after each long step: an interrupted one goes on from there, and so does one that
ended unproven, in a folder of its own.

A long step that passed whole is kept, and nothing else: what failed or stayed unproven is measured again, and so is every short
step, so that no certificate rests on a node that broke meanwhile.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from railbed import __version__, inputs, strict_json
from railbed.claims import FrozenModel, Judged, Verdict, measurements, table
from railbed.contract import Contract
from railbed.effects import files
from railbed.effects.journal import Journal, now_iso
from railbed.effects.secrets import contract_key
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError, refused
from railbed.text import few
from railbed.validate.acceptance import LATEST_FULL
from railbed.validate.retention import reports
from railbed.validate.scope import Question, Scope
from railbed.validate.validation_run import EVIDENCE, ValidationRun

FILE = "unfinished.json"
SCHEMA = "railbed/unfinished/v1"
LONGEST_S = 6 * 3600.0
"""Older ones are not continued: as long as a validation of the timer may take in all."""
GPUS = (
    measurements.GPU_PROBE.step,
    measurements.NODE_COLLECTIVES.step,
    measurements.NVLINK_COUNTERS.step,
)
TOGETHER: Mapping[str, tuple[str, ...]] = {
    measurements.DIAGNOSTICS.step: (measurements.DIAGNOSTICS.step,),
    **dict.fromkeys(GPUS, GPUS),
    measurements.PATHS.step: (measurements.PATHS.step,),
    measurements.COLLECTIVES.step: (measurements.COLLECTIVES.step,),
    measurements.CHECKPOINT.step: (measurements.CHECKPOINT.step,),
    measurements.JOB.step: (measurements.JOB.step,),
}
"""Step that may be kept → those that must all have passed for it: NVLink's error counters are read around the load of the GPUs.
Rails are always measured again: they load what the port counters count."""
CHANGES = (
    "up",
    "converge",
    "upgrade",
    "repair",
    "swap",
    "replace",
    "settle",
    "host-packages",
    "shrink",
    "tuned",
)
"""How events of the journal begin after which nodes are not what was measured."""


class Unfinished(FrozenModel):
    """A validation until its last long step."""

    version: str
    """Of railbed: another one may judge differently."""
    contract_hash: str
    started: str
    """ISO time, UTC."""
    accepting: dict[str, str]
    """Claim → reason for which it may stay unproven."""
    steps: list[str]
    """Those that came to their end, in their order."""
    boots: dict[str, str]
    """Node → what differs after each boot of it."""
    answers: list[Judged]
    seconds: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class Interrupted:
    """A validation that did not come to its end, or to no verdict, and its folder."""

    folder: Path
    run: Unfinished

    @property
    def ended(self) -> bool:
        """Whether it has a report, which stays as it is."""
        return (self.folder / "report.json").exists()


def write(work: Workspace, folder: Path, unfinished: Unfinished) -> None:
    """Keeps it, with the MAC of the stack's key: what is kept may end in a certificate.

    Without a key nothing is written. Raises RailbedError where the disk does not take it.
    """
    if not contract_key(work).is_file():
        return
    body = strict_json.dumps(unfinished.model_dump(mode="json"))
    text = strict_json.dumps({"schema": SCHEMA, "mac": _mac(work, body), "run": body})
    files.replace(folder / FILE, text, mode=files.PRIVATE)


def interrupted(work: Workspace, now: datetime) -> Path | None:
    """Folder of the newest full validation where it began less than ``LONGEST_S`` ago and was interrupted or ended unproven; None
    where it did neither."""
    last = work.reports / LATEST_FULL
    full = last.resolve().name if last.exists() else ""
    for name in reversed(reports(work.reports)):
        folder = work.reports / name
        begun = datetime.strptime(name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        if name < full or (now - begun).total_seconds() > LONGEST_S:
            return None
        if (folder / FILE).is_file() and (name == full or not (folder / "report.json").exists()):
            return folder
        if name == full:
            return None
    return None


def ended(folder: Path, verdict: Verdict) -> None:
    """After a full run: only where it ended unproven there is something to continue. What failed is no case for --resume."""
    if verdict is not Verdict.UNPROVEN:
        (folder / FILE).unlink(missing_ok=True)


def carry(before: Path, folder: Path) -> None:
    """Gives a run the evidence of the one that it continues. Raises RailbedError where the disk does not take it."""
    try:
        if (before / EVIDENCE).is_dir():
            shutil.copytree(before / EVIDENCE, folder / EVIDENCE, dirs_exist_ok=True)
    except OSError as error:
        raise refused(error, str(folder)) from None


def read(work: Workspace, contract: Contract, now: datetime) -> Interrupted:
    """The validation that goes on. Raises UsageError where there is none, or where it cannot."""
    folder = interrupted(work, now)
    hint = "run `railbed validate` without --resume"
    if folder is None:
        raise UsageError(
            f"stack {work.stack} has no full validation of the last {LONGEST_S / 3600:.0f} h that ended early or unproven",
            path="--resume", code="NOTHING_TO_RESUME", hint=hint,
        )  # fmt: skip
    path = folder / FILE
    document = inputs.read_json(path, hint=hint)
    try:
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError("another form")
        body = str(document.get("run"))
        if not hmac.compare_digest(str(document.get("mac")).encode(), _mac(work, body).encode()):
            raise ValueError("not written with this stack's key")
        found = Unfinished.model_validate_json(body)
    except (ValueError, ValidationError) as wrong:
        why = "not whole" if isinstance(wrong, ValidationError) else str(wrong)
        raise UsageError(
            f"the interrupted validation cannot be read: {why}", path=str(path), hint=hint, code="RESUME_UNREADABLE"
        ) from None  # fmt: skip
    if found.contract_hash != contract.hash or found.version != __version__:
        other = "railbed" if found.contract_hash == contract.hash else "contract"
        raise UsageError(
            f"the interrupted validation was of another {other}",
            path=str(path),
            hint=hint,
            code="RESUME_OTHER",
        )
    # One that goes on time after time is as old as its first part.
    if (now - datetime.fromisoformat(found.started)).total_seconds() > LONGEST_S:
        raise UsageError(
            f"the validation began more than {LONGEST_S / 3600:.0f} h ago", path="--resume", found=found.started,
            code="NOTHING_TO_RESUME", hint=hint,
        )  # fmt: skip
    return Interrupted(folder, found)


def changed(work: Workspace, since: str) -> str:
    """What happened to the cluster since a time, by the journal; empty where nothing did that counts."""
    begun = datetime.fromisoformat(since)
    events = [
        str(one.get("event"))
        for one in Journal(work.journal_file).read()
        if str(one.get("event", "")).startswith(CHANGES) and datetime.fromisoformat(str(one["at"])) > begun
    ]
    return f"the journal has {few(list(dict.fromkeys(events)), 3)} since it began" if events else ""


def rebooted(nodes: Iterable[str], before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which of the nodes may have been booted since; empty where none was. One that does not answer may have been. Pure."""
    odd = sorted(name for name in nodes if not now.get(name) or before.get(name) != now[name])
    return f"{few(odd, 3)} may have been booted since" if odd else ""


def passed(scope: Scope, steps: Sequence[str], answers: Sequence[Judged]) -> tuple[list[str], list[Judged]]:
    """Steps among ``steps`` that may be kept, and their verdicts: every question of theirs has a pass. Pure."""
    good = {(one.claim, one.node): one for one in answers if one.verdict is Verdict.PASS}
    done = set(steps)

    def whole(step: str) -> bool:
        return step in done and all(question.key in good for question in of_step(scope, step))

    kept = [step for step, needs in TOGETHER.items() if of_step(scope, step) and all(map(whole, needs))]
    keys = [question.key for step in kept for question in of_step(scope, step)]
    return kept, [good[key] for key in keys]


def of_step(scope: Scope, step: str) -> list[Question]:
    """Questions that a step answers."""
    return [question for glob in table.answered_in(step) for question in scope.get(glob)]


@dataclass
class Course:
    """What a full run has behind it, on disk after each long step, and what it takes over from the run that it continues."""

    work: Workspace
    validation: ValidationRun
    started: str
    accepting: dict[str, str]
    before: Unfinished | None
    stopped: str = "interrupted"
    """How the one before ended."""
    steps: list[str] = field(default_factory=list)
    """Those that came to their end."""
    seconds: dict[str, float] = field(default_factory=dict)

    def take_over(self) -> None:
        """Once nodes have said when they booted: takes the verdicts of steps that passed whole before the interruption."""
        if self.before is None:
            return
        names = [node.name for node in self.validation.contract.nodes]
        why = changed(self.work, self.started) or rebooted(names, self.before.boots, self.validation.boots)
        steps, answers = passed(self.validation.scope, self.before.steps, self.before.answers)
        if why:
            steps, answers = [], []
        self.validation.answers.add(*answers)
        self.steps += steps
        self.seconds |= {step: self.before.seconds.get(step, 0.0) for step in steps}
        what = f"kept {', '.join(steps)}" if steps else "everything was measured again"
        said = f"{self.stopped} and continued at {now_iso()}: {what}{f' ({why})' if why else ''}"
        self.validation.notes.append(said)
        self.validation.say(said)

    def ended(self, step: str) -> None:
        """A step came to its end; a long one is on disk from now on, unless evidence was lost: without it nothing counts."""
        self.steps.append(step)
        if step not in TOGETHER or not self.validation.scope.whole or self.validation.unkept:
            return
        steps, answers = passed(self.validation.scope, self.steps, self.validation.answers.given())
        run = Unfinished(
            version=__version__, contract_hash=self.validation.contract.hash, started=self.started,
            accepting=self.accepting, steps=steps, boots=self.validation.boots, answers=answers, seconds=self.seconds,
        )  # fmt: skip
        # A full disk leaves nothing to continue; the report says of the disk.
        with suppress(RailbedError):
            write(self.work, self.validation.folder, run)


def _mac(work: Workspace, body: str) -> str:
    return hmac.new(contract_key(work).read_bytes(), f"{SCHEMA}\n{body}".encode(), hashlib.sha256).hexdigest()
