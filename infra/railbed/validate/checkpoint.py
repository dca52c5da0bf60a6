"""All compute nodes of a filesystem at once: they write a checkpoint of the job together, or as much as half a minute of the
rate that was bought, then read it back.

Under the scheduler where there is one, else over SSH at once. What is written takes room, so free
free space is checked first, and only the folder that was made here is removed.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.contract import Filesystem, further
from railbed.defaults import MEASURE_BUDGET_S, STEP_WAIT_S, STORAGE_PEER_FLOOR, STORAGE_TIMEOUT_S
from railbed.effects import node_json
from railbed.judge import peers
from railbed.parse.numbers import integer
from railbed.validate import old_folders, steps
from railbed.validate.answers import against_floor, disturbed, judged
from railbed.validate.clients import CLIENT
from railbed.validate.conditions import watch, words
from railbed.validate.patience import Patience
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

CHECKPOINT_ROOM = 1.25
"""A checkpoint is tried only where so many of it are free: a filesystem in use must not run full."""
CHECKPOINT_LEAST_S, CHECKPOINT_SLOWEST = 60.0, 5.0
"""A checkpoint that takes longer than its planned time so often, and a minute, is stuck."""

PROBE = Path(__file__).parent / "node" / "checkpoint_probe.py"
PAIRS = (("storage.checkpoint", "storage.restore"), ("storage.all_write", "storage.all_read"))
"""Claims about writing and reading; of each filesystem there is one pair at most."""
GBYTE = 1e9
PROGRAM = "the checkpoint probe"
Pair = tuple[str, str]
"""Ids of a claim about writing, and of the one about reading."""


class CheckpointReply(node_json.Reply):
    """What one node says of its part: an error, or when it began and ended by its own clock."""

    node: node_json.Words
    error: node_json.Words = ""
    begin: float | None = None
    end: float | None = None
    bytes: node_json.Whole = 0
    wrong: list[node_json.Words] = Field(default_factory=list)

    def took(self, share: int) -> bool:
        """Whether it moved its ``share`` of bytes, in a time that its clock can have measured."""
        known = self.begin is not None and self.end is not None and self.begin < self.end
        return known and self.bytes == share


REPLY = TypeAdapter(CheckpointReply)


def asked(validation: ValidationRun) -> bool:
    """Whether a run has a question that this answers."""
    return any(validation.scope.asks(f"{claim}*") for pair in PAIRS for claim in pair)


def run(validation: ValidationRun) -> None:
    """Writes and reads on every filesystem of which a pair of claims is asked."""
    for filesystem in validation.contract.filesystems:
        suffix = further.suffix(validation.contract, filesystem)
        for write, read in PAIRS:
            if validation.scope.asks(write + suffix) or validation.scope.asks(read + suffix):
                _run(validation, filesystem, (write + suffix, read + suffix))


def _run(validation: ValidationRun, filesystem: Filesystem, pair: Pair) -> None:
    expectations = [q.claim.expectation for claim in pair for q in validation.scope.get(claim)]
    size = max((w.size_bytes or 0 for w in expectations if w), default=0)
    nodes, why = _nodes(validation)
    dead = validation.dead_clients[filesystem.name]
    why = why or next((dead[name] for name in nodes if name in dead), "")
    if not size:
        why = "the contract does not say how much is to be written"
    if why:
        _open(validation, pair, why)
        return
    mount = filesystem.mount
    reason = no_room(validation, nodes[0], mount, size)
    if reason:
        _open(validation, pair, reason)
        return
    folder = old_folders.path(validation, mount, "checkpoint")
    script = f"mkdir {shlex.quote(folder)} && cat > {shlex.quote(folder)}/probe.py"
    made = validation.remote.run(
        nodes[0], script, stdin=PROBE.read_text(), timeout_s=STORAGE_TIMEOUT_S, check=False
    )
    if not made.ok:
        _open(
            validation, pair, f"{mount} cannot be written on {nodes[0]}: {ended.why(made, 'mkdir', nodes[0])}"
        )
        return
    try:
        if _measure(validation, filesystem, "write", pair[0], nodes, folder, size):
            _measure(validation, filesystem, "read", pair[1], nodes, folder, size)
        else:
            validation.answers.why(
                pair[1], f"blocked by {pair[0]}: what was to be read was not written whole"
            )
    finally:
        validation.remote.run(
            nodes[0], ["rm", "-rf", folder], timeout_s=_patience(validation, pair[1], size), check=False
        )


def _open(validation: ValidationRun, pair: Pair, why: str) -> None:
    for claim in pair:
        validation.answers.why(claim, why)


def _nodes(validation: ValidationRun) -> tuple[list[str], str]:
    """As many nodes as the pools have, that can all start now; or none and why."""
    computes = [node.name for node in validation.contract.with_role("compute")]
    if len(computes) < 2:
        return [], f"{len(computes)} compute nodes, needs 2: one reads what another one wrote"
    if validation.contract.scheduler == "slurm":
        free, why = validation.usable(len(computes))
        return free[: len(computes)], why
    gone = [f"{name}: {validation.unreachable[name]}" for name in computes if name in validation.unreachable]
    return computes, "; ".join(gone)


def no_room(validation: ValidationRun, node: str, mount: str, size: int) -> str:
    """Why the checkpoint must not be written; empty where it fits and leaves room."""
    argv = ["df", "--block-size=1", "--output=avail", mount]
    found = validation.remote.run(node, argv, timeout_s=STORAGE_TIMEOUT_S, check=False)
    free = integer(found.stdout.split()[-1]) if found.ok and found.stdout.strip() else None
    if free is None:
        return f"{node} does not tell how much of {mount} is free: {ended.why(found, 'df', node)}"
    if free < size * CHECKPOINT_ROOM:
        return (
            f"{mount} has {free / GBYTE:.4g} GB free; a checkpoint of {size / GBYTE:.4g} GB does not fit well"
        )
    return ""


def _patience(validation: ValidationRun, claim: str, size: int) -> float:
    """Seconds that a checkpoint may take before it counts as stuck."""
    rates = [w.expected for q in validation.scope.get(claim) if (w := q.claim.expectation) and w.expected]
    return CHECKPOINT_LEAST_S + CHECKPOINT_SLOWEST * size / (min(rates) * GBYTE if rates else GBYTE)


def _measure(
    validation: ValidationRun,
    filesystem: Filesystem,
    verb: str,
    claim: str,
    nodes: list[str],
    folder: str,
    size: int,
) -> bool:
    """One direction; True where all of it went through. It is written even where only reading is asked."""
    name = claim.partition("@")[0]
    validation.say(f"{claim}: {verb} {size / GBYTE:.4g} GB on {len(nodes)} nodes")
    files = validation.node(nodes[0]).gpus or 1
    argv = [verb, folder, str(size // len(nodes)), str(files)]
    limit = _patience(validation, claim, size)
    patience = Patience(validation.say)
    while True:
        began = time.monotonic()
        with watch(validation.remote, nodes) as seen:
            replies, last = _start(validation, nodes, folder, argv, limit)
        conditions = words(seen.problems(clocks=True))
        place = f"{further.folder(validation.contract, filesystem)}/{name.removeprefix('storage.')}.json"
        kept = {"nodes": nodes, "conditions": seen.plain(), "replies": [r.model_dump() for r in replies]}
        found = Found(
            nodes, size, replies, f"within {limit:.0f} s: {last}", conditions, validation.keep(place, kept)
        )
        records = [_answer(q, found) for q in validation.scope.get(claim)]
        short = time.monotonic() - began < MEASURE_BUDGET_S
        again = conditions and short and any(r.verdict is Verdict.UNPROVEN for r in records)
        if not again or not patience.pause(conditions):
            break
    validation.answers.add(*records)
    return not found.trouble and not found.absent


@dataclass(frozen=True)
class Found:
    """What the nodes said of one direction."""

    nodes: list[str]
    size: int
    replies: list[CheckpointReply]
    last: str
    """The last words of what did not answer."""
    conditions: str
    """What was wrong with them, in words; empty where nothing was."""
    evidence: str

    @property
    def trouble(self) -> list[str]:
        """What went wrong, and what read wrongly."""
        broken = [f"{r.node}: {r.error}" for r in self.replies if r.error]
        return broken + [f"{r.node}: {what}" for r in self.replies for what in r.wrong]

    @property
    def whole(self) -> list[CheckpointReply]:
        share = self.size // len(self.nodes)
        return list({r.node: r for r in self.replies if r.took(share)}.values())

    @property
    def absent(self) -> int:
        """Nodes that gave no result."""
        return len(self.nodes) - len(self.whole)


def _answer(question: Question, found: Found) -> Judged:
    """A rate below its floor proves nothing under bad conditions; files that read wrongly fail under any."""
    detail: dict[str, Any] = {"parts": ["storage"], "nodes": found.nodes, "bytes": found.size}
    if found.trouble:
        reason = "; ".join(found.trouble[:8])
        return judged(question, Verdict.FAIL, reason, evidence=found.evidence, detail=detail)
    if found.absent:
        reason = f"{len(found.whole)} of {len(found.nodes)} nodes gave a result {found.last}"
        return judged(question, Verdict.UNPROVEN, reason, evidence=found.evidence, detail=detail)
    record = against_floor(question, gbytes_per_s(found.whole), evidence=found.evidence, detail=detail)
    return disturbed(_naming(record, found.whole), found.conditions)


def _naming(record: Judged, replies: list[CheckpointReply]) -> Judged:
    """The verdict with the nodes that held it up, where they are few, far below the others, and those hold their share of the
    floor: then servers and filesystem are well."""
    if record.verdict is not Verdict.FAIL or record.floor is None:
        return record
    shares = peers.shares({one.node: gbytes_per_s([one]) for one in replies})
    slow = sorted(name for name, share in shares.items() if share < STORAGE_PEER_FLOOR)
    others = [one for one in replies if one.node not in slow]
    if not slow or len(others) <= len(replies) / 2:
        return record
    if gbytes_per_s(others) < record.floor * len(others) / len(replies):
        return record
    detail = {**record.detail, "guilty": [[name, CLIENT] for name in slow], "shares": shares}
    return record.model_copy(update={"reason": f"{', '.join(slow)}: {record.reason}", "detail": detail})


def gbytes_per_s(replies: list[CheckpointReply]) -> float:
    """GB/s from the first node's begin to the last one's end: the slowest counts, and clocks that differ make it slower."""
    begins, ends = [r.begin or 0.0 for r in replies], [r.end or 0.0 for r in replies]
    longest = max(end - begin for begin, end in zip(begins, ends, strict=True))
    return sum(r.bytes for r in replies) / GBYTE / max(max(ends) - min(begins), longest, 1e-6)


def _start(
    validation: ValidationRun, nodes: list[str], folder: str, argv: list[str], limit: float
) -> tuple[list[CheckpointReply], str]:
    """What each node said, and the last line of what went wrong."""
    program = ["timeout", "-k", "5", str(int(limit)), "python3", f"{folder}/probe.py", *argv]
    if validation.scheduler is None:
        place = {name: [str(i), str(len(nodes))] for i, name in enumerate(nodes)}
        said = validation.remote.each(
            nodes,
            lambda name: validation.remote.run(
                name, [*program, *place[name]], timeout_s=limit + STORAGE_TIMEOUT_S, check=False
            ),
        )
        tails = [ended.why(result, PROGRAM, name) for name, result in said.items() if not result.ok]
        return node_json.lines("\n".join(result.stdout for result in said.values()), REPLY), "; ".join(
            tails[:3]
        )
    step = steps.srun(nodes, limit, "railbed-checkpoint", reservation=validation.reservation_for(nodes))
    done = validation.remote.run(
        validation.scheduler.controller,
        [*step, *program],
        timeout_s=limit + STORAGE_TIMEOUT_S + STEP_WAIT_S,
        check=False,
    )
    return node_json.lines(done.stdout, REPLY), "" if done.ok else ended.why(
        done, PROGRAM, validation.scheduler.controller
    )
