"""The stage: asks every claim in scope, judges, blames, reports, certifies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from railbed import blame
from railbed.certificate.document import MAX_TEXT_CHARACTERS
from railbed.claims import Verdict, measurements, table
from railbed.contract import Contract, as_observed
from railbed.effects import files, observations, places, secrets
from railbed.effects.journal import Journal, now_iso
from railbed.effects.remote import Remote, write_ssh_files
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError, UsageError, refused
from railbed.text import one_line, shown
from railbed.validate import (
    acceptance,
    between,
    cabling,
    card_collectives,
    certificate,
    checkpoint,
    collectives,
    containers,
    diagnostics,
    exports,
    finetuning,
    gpus,
    history,
    html_report,
    identity,
    job,
    manifest,
    node_collectives,
    nvlink_errors,
    on_node,
    open_files,
    optics,
    port_errors,
    rails,
    records,
    schedule,
    science,
    serving,
    storage,
    unfinished,
)
from railbed.validate import room as space
from railbed.validate.answers import Answers, total
from railbed.validate.records import Report
from railbed.validate.scope import select
from railbed.validate.validation_run import Progress, ValidationRun

LATEST = "latest"
STEPS: tuple[tuple[str, Callable[[ValidationRun], None]], ...] = (
    (measurements.SCHEDULER.step, schedule.read_scheduler),
    (measurements.NODE_SUITE.step, on_node.run),
    (measurements.DIAGNOSTICS.step, diagnostics.run),
    (measurements.GPU_PROBE.step, gpus.run),
    (measurements.NODE_COLLECTIVES.step, node_collectives.run),
    (measurements.NVLINK_COUNTERS.step, nvlink_errors.NVLINKS.run),
    (measurements.CABLING.step, cabling.run),
    (measurements.RAILS.step, rails.run),
    (measurements.PATHS.step, between.run),
    (measurements.COLLECTIVES.step, collectives.run),
    (measurements.CARD_COLLECTIVES.step, card_collectives.run),
    (measurements.PORT_COUNTERS.step, port_errors.PORTS.run),
    (measurements.OPTICS.step, optics.run),
    (measurements.STORAGE.step, storage.run),
    (measurements.CHECKPOINT.step, checkpoint.run),
    (measurements.CONTAINER.step, containers.run),
    (measurements.JOB.step, job.run),
    (measurements.FINETUNING.step, finetuning.run),
    (measurements.INFERENCE.step, serving.run),
    (measurements.SCIENCE.step, science.run),
)
"""In this order: what breaks a later step is known before it. Each asks only what is in scope."""


def run(
    contract: Contract,
    work: Workspace,
    *,
    quick: bool = False,
    only: Sequence[str] = (),
    claim: str | None = None,
    accept: Mapping[str, str] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    widen: bool = True,
    room: bool = True,
) -> Report:
    """Validates a stack, or the part of it that the filters leave.

    ``claim`` is a glob; ``accept`` maps claims that may stay unproven to the reason. A full run that passes
    writes a certificate and accepts the nodes; a run of some nodes (``only``) that passes accepts those. ``resume``: a full run
    that was interrupted goes on in its folder, one that ended unproven in a new one, each with what it was to accept. ``widen``:
    where some nodes are held, idle ones may be held with them meanwhile. ``room``: whether it is refused first where the disk may
    be too full for the report. Raises UsageError for filters that match nothing and where nothing can go on, RailbedError
    ``REPORT_ROOM`` and ``OPEN_FILES``, and Unwritten with the report that the disk did not take. Whatever cannot be measured ends
    as ``unproven`` in the report, not as an exception.
    """
    scope = select(contract, quick=quick, only=only, pattern=claim)
    before = unfinished.read(work, contract, datetime.now(UTC)) if resume else None
    accepting = _checked(before.run.accepting if before else accept or {}, contract)
    say = progress or _silent
    if room:
        # A pattern that leaves everything, such as that of drift, writes as much as none.
        part = bool(quick or only or (claim or "").strip("*"))
        space.require(work.reports, len(only or contract.nodes), part=part, undone="measured")
    open_files.require(len(contract.nodes), undone="measured")
    if not work.ssh_config.exists():
        write_ssh_files(work, contract)
    if scope.whole and not before and (old := unfinished.interrupted(work, datetime.now(UTC))):
        say(f"the validation of {old.name} came to no verdict; `railbed validate --resume` would continue it")
    started = before.run.started if before else now_iso()
    folder = before.folder if before and not before.ended else _folder(work, must=room)
    if before and before.ended:
        unfinished.carry(before.folder, folder)
    accepts = bool(only) and not (quick or claim)
    known = {} if scope.whole or accepts else identity.accepted(work)
    validation = ValidationRun(
        contract, Remote(work, contract), scope, answers := Answers(scope), folder, say, known=known,
        named=as_observed.named(contract, observations.read(work)), stack_id=secrets.stack_id(work),
    )  # fmt: skip
    course = unfinished.Course(work, validation, started, accepting, before.run if before else None)
    if before and before.ended:
        course.stopped = "ended unproven"
    seconds = _ask(validation, course, widen=widen)
    claims = answers.complete()
    verdict = total(claims, accepting)
    if validation.unkept:
        name, why = next(iter(validation.unkept.items()))
        validation.notes.append(
            f"{len(validation.unkept)} files of evidence could not be written, such as {name}: {why}"
        )
    passed = verdict is Verdict.PASS and not validation.unkept
    # Where nearly all of it is taken on trust, an operator may let jobs in; nobody is told that it was proven.
    earned = scope.whole and passed and contract.kubernetes is None
    report = Report(
        stack=contract.stack, contract_hash=contract.hash, verdict=verdict, claims=claims,
        culprits=blame.culprits(claims), out_of_scope=contract.out_of_scope, accepted_unproven=accepting,
        quick=quick, node=",".join(only), pattern=claim or "", simulated=contract.simulated, started=started,
        ended=now_iso(), seconds=seconds, report_dir=str(folder),
        certificate=str(work.certificate_file) if earned else "", notes=validation.notes,
    )  # fmt: skip
    try:
        _write(report, contract, work, folder)
    except RailbedError as full:
        if full.code != space.FULL:
            raise
        raise space.Unwritten(report, full) from None
    standby = places.standby(contract, work)
    if scope.whole and passed:
        acceptance.accept(work, contract.nodes, validation.gate, report, standby)
    elif accepts and verdict is Verdict.PASS:
        acceptance.accept(work, [contract.node(name) for name in only], validation.gate, report, standby)
    Journal(work.journal_file).write(
        "validated", stack=work.stack, verdict=str(verdict), node=report.node, claim=claim or "", quick=quick,
        report=str(folder), culprits=[f"{c.node} {c.part}".strip() for c in report.culprits],
    )  # fmt: skip
    return report


def latest(work: Workspace) -> Report:
    """The report of the last run of any kind. Raises FileNotFoundError before the first one."""
    return records.read_json(work.reports / LATEST / "report.json")


def _silent(_: str) -> None:
    return


def _ask(validation: ValidationRun, course: unfinished.Course, *, widen: bool) -> dict[str, float]:
    """Runs every step; returns the seconds of each. One that breaks off leaves its claims open, and the next goes on."""
    seconds = course.seconds

    def step(name: str, work: Callable[[ValidationRun], None]) -> None:
        if name in course.steps:
            return
        began = time.monotonic()
        try:
            work(validation)
        except RailbedError as broken:
            for pattern in table.answered_in(name) or ["*"]:
                validation.answers.why(pattern, f"{name} broke off: {broken.message}")
        seconds[name] = round(time.monotonic() - began, 1)

    def whole(name: str, work: Callable[[ValidationRun], None]) -> None:
        step(name, work)
        if name not in course.steps:
            course.ended(name)

    whole(*STEPS[0])
    shared = validation.scope.asks("collective.*") or job.asked(validation) or checkpoint.asked(validation)
    shared = shared or finetuning.asked(validation)
    with acceptance.together(validation, needed=shared and widen):
        for name, work in STEPS[1:]:
            if name == measurements.GPU_PROBE.step:
                step(measurements.NVLINK_COUNTERS.step, nvlink_errors.NVLINKS.begin)
            if name == measurements.RAILS.step:
                step(measurements.PORT_COUNTERS.step, port_errors.PORTS.begin)
                step(measurements.OPTICS.step, optics.begin)
            whole(name, work)
            if name == measurements.NODE_SUITE.step:
                course.take_over()
    return seconds


def _checked(accept: Mapping[str, str], contract: Contract) -> dict[str, str]:
    known = [claim.id for claim in contract.claims]
    for name, reason in accept.items():
        if name not in known:
            raise UsageError(
                "no such claim in scope",
                path="--accept-unproven",
                found=name,
                allowed=known,
                code="CLAIM_UNKNOWN",
            )
        if not reason.strip():
            raise UsageError(
                f"accepting {name} unproven needs a reason", path="--reason", code="REASON_MISSING"
            )
        if not one_line(reason) or len(reason) > MAX_TEXT_CHARACTERS:
            raise UsageError(
                "the reason cannot stand in a certificate", path="--reason", found=shown(reason), code="REASON_ODD",
                allowed=f"one line of at most {MAX_TEXT_CHARACTERS} characters, none of them a control character",
            )  # fmt: skip
    return dict(accept)


def _folder(work: Workspace, *, must: bool) -> Path:
    """A fresh folder for this run, named by its start in UTC; not there where the disk takes none and none ``must`` be."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
    folder = work.reports / stamp
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        if must:
            raise refused(error, str(folder)) from None
    return folder


def _write(report: Report, contract: Contract, work: Workspace, folder: Path) -> None:
    records.write_json(report, folder)
    unfinished.ended(folder, report.verdict)
    files.replace(folder / "junit.xml", records.junit(report))
    files.replace(folder / exports.CTRF, exports.ctrf(report))
    files.replace(folder / exports.METRICS, exports.openmetrics(report))
    history.add(work, report)
    files.replace(folder / "report.html", html_report.render(report, contract, history.read(work)))
    if report.certificate:
        issued = certificate.issue(work, contract, report, folder)
        certificate.write(folder / manifest.CERTIFICATE, issued)
        certificate.write(work.certificate_file, issued)
    files.link(work.reports / LATEST, folder.name)
    if report.whole:
        files.link(work.reports / acceptance.LATEST_FULL, folder.name)
