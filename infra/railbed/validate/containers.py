"""The claim ``job.container``: a container of the image that the spec names, started through Slurm on every node with GPUs.

An ordinary step (``srun --container-image``, pyxis) of an ordinary user: of `nobody`, whom every host has, who owns nothing and
as whom nobody logs in. Root would not do: what hinders users (user namespaces, folders of images) does not hinder root. Where
the reservation of nodes that did not pass yet holds them, that user is let in for as long as the step takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import TypeAdapter

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.defaults import FABRIC_OUTPUT_BYTES, STEP_WAIT_S
from railbed.effects import node_json
from railbed.effects.scheduler import Scheduler
from railbed.parse.slurm import hostlist
from railbed.run import TIMED_OUT
from railbed.validate import gpus, steps
from railbed.validate.answers import judged
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

CLAIM = "job.container"
NEEDS = "node.containers"
PROBE = Path(__file__).parent / "node" / "container_probe.sh"
PROGRAM = "the container's program"
PART = "container runtime"
USER, UID = "nobody", 65534
"""Debian Policy 9.2.2; the same in systemd's "Users, Groups, UIDs and GIDs on systemd Systems"."""
AS_USER = (
    "env", "-i", "HOME=/", "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin", "setpriv", f"--reuid={UID}", f"--regid={UID}",
    "--clear-groups",
)  # fmt: skip
"""With nothing of root's environment (setpriv(1))."""
STATUS = 7
"""With which the program ends, and the step has to: neither success, nor what pyxis (1) or a signal gives."""
LIMIT_S = 900
"""For reading the image once, and for unpacking it on all nodes at once: 20 GB at 25 MB/s. A bound; not measured."""
SSH_S = 30.0
BROKEN_OFF = (ended.SSH_FAILED, TIMED_OUT)
"""Statuses of a step of which not all was heard."""
EXITED = re.compile(r"^srun: error: (\S+): tasks? [\d,-]+: Exited with exit code (\d+)", re.M)
"""A line for each task, or one for those that end alike at once (Slurm 22.05, the first seen in the lab)."""


class Inside(node_json.Reply):
    """What the program says of its container."""

    node: node_json.Words
    gpus: node_json.Whole
    outside: int
    """Who its user is on the host; -1 where the kernel's map does not have them."""
    torch: node_json.Words
    """Version, ``absent``, or why it cannot be imported."""
    torch_gpus: int
    """That PyTorch sees; -1 where it cannot be imported."""


INSIDE = TypeAdapter(Inside)


def run(validation: ValidationRun) -> None:
    """Starts the container on all nodes that can take it, and answers for each of them."""
    image, scheduler = validation.contract.software.container_image, validation.scheduler
    if not validation.scope.asks(CLAIM) or image is None:
        return
    if scheduler is None:
        validation.answers.why(CLAIM, "blocked: no scheduler answers")
        return
    validation.refresh()
    questions: dict[str, Question] = {}
    for question in validation.scope.get(CLAIM):
        if reason := gpus.obstacle(validation, question.node) or _blocked(validation, question.node):
            validation.answers.why(CLAIM, reason, [question.node])
        else:
            questions[question.node] = question
    if not questions:
        return
    if reason := other_image(validation, scheduler, image.path, image.sha256):
        validation.answers.why(CLAIM, reason, list(questions))
        return
    for nodes in gpus.together(validation, list(questions)):
        _start(validation, scheduler, image.path, {name: questions[name] for name in nodes})


def _blocked(validation: ValidationRun, node: str) -> str:
    known = validation.answers.of(NEEDS, node)
    return f"blocked by {NEEDS} on {node}" if known and known.verdict is not Verdict.PASS else ""


def other_image(validation: ValidationRun, scheduler: Scheduler, path: str, sha256: str) -> str:
    """Why the file is not known to be the image that the spec names; empty where it is. Read as the user who needs it."""
    read = [*AS_USER, "timeout", "-k", "5", str(LIMIT_S), "sha256sum", path]
    said = validation.remote.run(scheduler.controller, read, timeout_s=LIMIT_S + SSH_S, check=False)
    if not said.ok:
        return f"{path} cannot be read by users: {ended.why(said, 'sha256sum', scheduler.controller)}"
    found = said.stdout[: len(sha256)]
    return (
        ""
        if found == sha256
        else f"{path} is not the spec's image: its SHA-256 is {found[:12]}…, not {sha256[:12]}…"
    )


def _start(
    validation: ValidationRun, scheduler: Scheduler, path: str, questions: Mapping[str, Question]
) -> None:
    nodes = list(questions)
    wanted, reservation = validation.node(nodes[0]).gpus, validation.reservation_for(nodes)
    validation.say(f"a container of {path} on {len(nodes)} nodes")
    step = steps.srun(
        nodes, LIMIT_S, "railbed-container", f"--container-image={path}", "--no-container-mount-home",
        "--no-container-entrypoint", "--container-workdir=/", "--chdir=/",
        *steps.whole_nodes(wanted, end_together=False), reservation=reservation,
    )  # fmt: skip
    with _let_in(scheduler, reservation):
        said = validation.remote.run(
            scheduler.controller, [*AS_USER, *step, "sh", "-s", str(STATUS)], stdin=PROBE.read_text(),
            timeout_s=LIMIT_S + STEP_WAIT_S + SSH_S, check=False, keep_bytes=FABRIC_OUTPUT_BYTES,
        )  # fmt: skip
    evidence = validation.keep(f"containers/{nodes[0]}.txt", f"{said.stdout}\n{said.stderr}")
    inside = {one.node: one for one in node_json.lines(said.stdout, INSIDE)}
    # What came of it before the connection was lost is true; the rest says nothing, and the last line may be half of one.
    whole = said.returncode not in BROKEN_OFF and not said.cut
    codes = exit_codes(said.stderr if whole else "\n".join(said.stderr.splitlines()[:-2]))
    broken = ended.why(said, PROGRAM, scheduler.controller)
    for name, question in questions.items():
        code = codes.get(name, 0 if whole else None)
        if name in inside and (code is not None or problems(inside[name], STATUS, wanted)):
            record = _judged(question, inside[name], STATUS if code is None else code, wanted, evidence)
            validation.answers.add(record)
        elif name in inside:
            validation.answers.why(CLAIM, f"the exit status of {name} did not come: {broken}", [name])
        elif code == STATUS:
            reason = f"the program ended on {name} as it should, and what it said cannot be read"
            validation.answers.why(CLAIM, reason, [name])
        elif code:
            words = ended.why(said, PROGRAM, name)
            reason = f"the container did not start: the task ended with {code}: {words}"
            validation.answers.add(
                judged(question, Verdict.FAIL, reason, evidence=evidence, detail={"parts": [PART]})
            )
        else:
            validation.answers.why(CLAIM, f"no answer of {name}: {broken}", [name])


@contextmanager
def _let_in(scheduler: Scheduler, reservation: str) -> Iterator[None]:
    """Lets the user into the reservation that holds the nodes, if one does. Left in by a kill, it opens nothing to people."""
    if not reservation:
        yield
        return
    update = ["scontrol", "update", f"ReservationName={reservation}"]
    scheduler.run([*update, f"Users+={USER}"])
    try:
        yield
    finally:
        scheduler.run([*update, f"Users-={USER}"], check=False)


def exit_codes(text: str) -> dict[str, int]:
    """Node → exit status of its task, of those that srun says: all but 0. Pure."""
    found: dict[str, int] = {}
    for names, code in EXITED.findall(text):
        with suppress(ValueError):
            found |= dict.fromkeys(hostlist(names), int(code))
    return found


def _judged(question: Question, inside: Inside, code: int, wanted: int, evidence: str) -> Judged:
    wrong = problems(inside, code, wanted)
    torch = "no PyTorch in it" if inside.torch == "absent" else f"PyTorch {inside.torch} sees them"
    good = f"it saw {inside.gpus} GPUs, {torch}; its user is {inside.outside} outside; exit status {code} came through"
    return judged(
        question, Verdict.FAIL if wrong else Verdict.PASS, "; ".join(wrong) or good, measured=float(inside.gpus), unit="GPUs",
        evidence=evidence, detail={"parts": [PART] if wrong else []},
    )  # fmt: skip


def problems(inside: Inside, code: int, wanted: int) -> list[str]:
    """What is wrong with a container; empty where nothing is. Pure. ``wanted``: GPUs of the step."""
    wrong = []
    if inside.gpus != wanted:
        wrong.append(f"the container sees {inside.gpus} of {wanted} GPUs")
    if inside.torch_gpus < 0:
        wrong.append(f"the image's PyTorch cannot be imported: {inside.torch}")
    elif inside.torch != "absent" and inside.torch_gpus != wanted:
        wrong.append(f"the image's PyTorch {inside.torch} sees {inside.torch_gpus} of {wanted} GPUs")
    if inside.outside != UID:
        who = "root" if inside.outside == 0 else f"user {inside.outside}"
        wrong.append(f"the container's user is {who} outside, not {USER} ({UID}), who started it")
    if code != STATUS:
        wrong.append(f"its program ended with {STATUS}, and the step says {code}")
    return wrong
