"""Whether a soak held: each condition, from what the journal, Slurm's accounts and the jobs' own files say afterwards. Pure.

Times are seconds since the epoch by this machine's clock, which the lab's hosts share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from railbed.operate import past
from railbed.operate.summary import EVENTS
from railbed.parse.sacct import JobRun

from .soak_events import End
from .soak_record import Fault, Soak, Told
from .steps import Found

SLACK_S = 2.0
"""Of two clocks that both count whole seconds."""
LEDGER_TOLERANCE_S = 10.0
"""Between a job's time by Slurm's accounts and by who submitted it: a submission over SSH, and whole seconds of each start."""
REQUEUE_S = 15.0
"""From the owner's word to the end of the start that it ends, on a busy machine."""
LOST = frozenset({"NODE_FAIL", "BOOT_FAIL", "REQUEUED"})
"""A start that did not end by itself, and after which the job goes on."""
HOLDS = frozenset({"repair-hold", "repair-rung", "repair-converged", "swap-exchange", "replace-made"})
"""Steps that nobody may take on a node with a job. Evidence is saved before, and reads only."""
FAILED_REPAIR = "repair-failed"
RETURNED = frozenset({"repair-resumed", "settle-returned"})
"""How a node comes back: by its repair, or by a later run of `settle` where its repair ended unproven beside jobs."""


def steps(soak: Soak, node: str, since_s: float, kinds: Collection[str]) -> list[Mapping[str, Any]]:
    """Events of a node from a moment on."""
    return [
        one for one in soak.journal
        if one.get("node") == node and one.get("event") in kinds and at(one) >= since_s - SLACK_S
    ]  # fmt: skip


def at(event: Mapping[str, Any]) -> float:
    """Its time; 0 where nobody can read it."""
    moment = past.moment(str(event.get("at", "")))
    return moment.timestamp() if moment else 0.0


def faults(soak: Soak) -> Found:
    """Each was repaired, swapped or quarantined, by its own name, or ended as a fault of its kind must; no other was found."""
    bad = [f"{one.kind.fault} on {one.node}: {why}" for one in soak.faults for why in _wrong(soak, one)]
    put: dict[str, set[str]] = {}
    for one in soak.faults:
        put.setdefault(one.node, set()).add(one.kind.code)
    for event in soak.journal:
        node = str(event.get("node"))
        codes = (
            {str(code) for code in event.get("causes") or ()}
            if event.get("event") == "repair-causes"
            else set()
        )
        if strange := codes - put.get(node, set()) - COMPANIONS:
            bad.append(f"a repair of {node} found {', '.join(sorted(strange))}, which nobody put in")
    bad += [] if soak.faults else ["nothing was put in, so nothing is shown"]
    ends = [f"`{one.kind.fault}` on {one.node} {one.kind.end}" for one in soak.faults]
    return f"{len(ends)} of {soak.drawn} that were drawn: {', '.join(ends) or 'none'}", bad


COMPANIONS = frozenset({"xid-64"})
"""What the driver writes beside a fault: a row that was not remapped (`gpu-remap-failed`)."""


def _wrong(soak: Soak, one: Fault) -> list[str]:
    check: Mapping[End, Callable[[Soak, Fault], list[str]]] = {
        End.REPAIRED: _repaired, End.QUARANTINED: _quarantined, End.PASSES: _passed, End.REPORTED: _reported,
        End.DIED: _died,
    }  # fmt: skip
    return check[one.kind.end](soak, one)


def _named(soak: Soak, one: Fault) -> list[str]:
    """Whether a repair found it by its name."""
    found = [
        str(code) for event in steps(soak, one.node, one.at_s, {"repair-causes"}) for code in event["causes"]
    ]
    said = ", ".join(dict.fromkeys(found)) or "nothing"
    return [] if one.kind.code in found else [f"repairs found {said}, not {one.kind.code}"]


def _in_service(soak: Soak, one: Fault) -> list[str]:
    now = soak.life.get(one.node, "gone")
    later = any(other.node == one.node and other.at_s > one.at_s for other in soak.faults)
    return [] if now == "healthy" or later else [f"the node is {now} at the end"]


def _repaired(soak: Soak, one: Fault) -> list[str]:
    back = steps(soak, one.node, one.at_s, RETURNED)
    return [*_named(soak, one), *([] if back else ["nothing gave the node back"]), *_in_service(soak, one)]


def _quarantined(soak: Soak, one: Fault) -> list[str]:
    failed = steps(soak, one.node, one.at_s, {FAILED_REPAIR})
    now = soak.life.get(one.node, "gone")
    return [
        *_named(soak, one),
        *([] if failed else ["no repair says that no rung mends it"]),
        *([] if now == "quarantined" else [f"the node is {now} at the end, not quarantined"]),
    ]


def _heard(soak: Soak, one: Fault) -> list[Told]:
    return [
        told for told in soak.told
        if told.node == one.node and told.at_s >= one.at_s and one.kind.code in told.text
    ]  # fmt: skip


def _passed(soak: Soak, one: Fault) -> list[str]:
    heard = _heard(soak, one)
    touched = steps(soak, one.node, one.at_s, HOLDS)
    later = [other.at_s for other in soak.faults if other.node == one.node and other.at_s > one.at_s]
    mine = [event for event in touched if not later or at(event) < min(later)]
    return [
        *([] if heard else [f"nothing on the node said {one.kind.code}"]),
        *([f"a repair worked on the node: {mine[0]['event']}"] if mine else []),
        *_in_service(soak, one),
    ]


def _reported(soak: Soak, one: Fault) -> list[str]:
    heard = _heard(soak, one)
    out = next((told for told in heard if told.drained), None)
    return [
        *([] if heard else [f"nothing on the node said {one.kind.code}"]),
        *([f"it was drained for it: {out.text}"] if out else []),
        *_in_service(soak, one),
    ]


def _died(soak: Soak, one: Fault) -> list[str]:
    silent = [
        told
        for told in soak.told
        if told.node == one.node and told.at_s >= one.at_s and told.text == "unknown"
    ]
    return [*([] if silent else ["nobody saw that the node was silent"]), *_in_service(soak, one)]


def _explained(soak: Soak, run: JobRun) -> str:
    """Why a start that was lost is not railbed's doing; empty where nothing explains it."""
    ended = run.ended_s or 0
    for moment, job in soak.requeued:
        if job == run.id and abs(moment - ended) <= REQUEUE_S:
            return "its owner queued it again"
    for one in soak.faults:
        if (
            one.node in run.nodes
            and one.at_s - SLACK_S <= ended
            and (run.started_s or 0) <= (one.gone_s or ended) + GIVE_UP_S
        ):
            if one.kind.end is End.DIED:
                return "its node died"
            if (run.started_s or 0) >= one.at_s - SLACK_S and ended - (run.started_s or 0) <= START_S:
                return "the check before its start found the fault"
    return ""


GIVE_UP_S, START_S = 360.0, 60.0
"""When Slurm gives up on a silent node (SlurmdTimeout, and its cycle); how long a start may take that a Prolog refuses."""


def killed(soak: Soak) -> Found:
    """No job was ended by railbed: by Slurm's states, and by what the journal says was done to nodes while a job had them."""
    bad = []
    for run in soak.runs:
        where = f"job {run.id} on {', '.join(run.nodes) or 'no node'}"
        if run.state in LOST and not _explained(soak, run):
            bad.append(f"{where} ended as {run.state}, and no fault explains it")
        elif run.state not in LOST | {"COMPLETED", "RUNNING", "PENDING"}:
            bad.append(f"{where} ended as {run.state}")
        bad += [
            f"{event['event']} of {event['node']} at {event['at']} while {where} ran"
            for event in soak.journal
            if event.get("event") in HOLDS and event.get("node") in run.nodes and _during(run, at(event))
        ]
    lost = Counter(_explained(soak, run) for run in soak.runs if run.state in LOST)
    why = ", ".join(f"{count} because {word}" for word, count in sorted(lost.items()) if word)
    done = sum(run.state == "COMPLETED" for run in soak.runs)
    found = (
        f"{done} jobs ended by themselves; {sum(lost.values())} starts were lost{f': {why}' if why else ''}"
    )
    return found, bad or ([] if soak.runs else ["no job ran, so nothing is shown"])


def _during(run: JobRun, moment: float) -> bool:
    """Within the start, but for the second that each clock may be off."""
    if run.started_s is None:
        return False
    return run.started_s + SLACK_S < moment and (run.ended_s is None or moment < run.ended_s - SLACK_S)


def finished(soak: Soak) -> Found:
    """Every job came to its end, and wrote it: the ones that lost a start too."""
    last = {run.id: run for run in sorted(soak.runs, key=lambda one: (one.submitted_s, one.started_s or 0))}
    bad = [f"job {job} stands as {run.state}" for job, run in last.items() if run.state != "COMPLETED"]
    for one in soak.small:
        if one.job not in last:
            bad.append(f"Slurm's accounts do not know job {one.job}")
        if list(one.lines[-1:]) != [f"end {one.job}"]:
            bad.append(f"job {one.job} wrote no end: {one.lines[-1] if one.lines else 'nothing'}")
        begins = sum(line == f"begin {one.job}" for line in one.lines)
        starts = sum(run.id == one.job and run.started_s is not None for run in soak.runs)
        if begins > starts:
            bad.append(f"job {one.job} began {begins} times, and Slurm knows of {starts} starts")
    again = Counter(run.id for run in soak.runs if run.state in LOST)
    found = (
        f"{len(last)} jobs, {len(soak.small)} of them short; {len(again)} lost a start and were queued again"
    )
    return found, bad or ([] if soak.small else ["no short job ran, so nothing is shown"])


def reference(soak: Soak) -> Found:
    """The reference job has the losses and the weights of an undisturbed run, to the last bit."""
    starts = sum(run.id == soak.reference and run.started_s is not None for run in soak.runs)
    bad = []
    if not soak.wanted or not soak.got:
        bad.append(
            "the undisturbed run gave no result" if not soak.wanted else "the disturbed run gave no result"
        )
    else:
        expected = set(soak.wanted)
        other = [line for line in soak.got if line not in expected]
        bad += (
            [f"{len(other)} lines differ from the undisturbed run's, the first: {other[0]}"] if other else []
        )
        if soak.got[-1] != soak.wanted[-1]:
            bad.append(f"it ended with {soak.got[-1]}, the undisturbed run with {soak.wanted[-1]}")
    return f"{starts} starts; {soak.got[-1] if soak.got else 'no result'}", bad


def ledger(soak: Soak) -> Found:
    """The reference job's time adds up: of its parts, against the clock of who submitted it, and stop by stop."""
    said = soak.ledger
    if not said or soak.ended_s is None:
        return "no ledger", ["`railbed job ledger` gave nothing of the reference job"]
    whole, parts = float(said["whole_s"]), dict(said["parts_s"])
    least, most, bad = soak.seen_s - soak.submitted_s, soak.ended_s - soak.submitted_s, []
    if abs(sum(parts.values()) - whole) > 1.0:
        bad.append(f"the parts come to {sum(parts.values()):.0f} s of {whole:.0f} s")
    clock = f"{least:.0f} to {most:.0f} s by the clock"
    if not least - LEDGER_TOLERANCE_S <= whole <= most + LEDGER_TOLERANCE_S:
        bad.append(f"it counts {whole:.0f} s, and it were {clock}")
    starts = [run for run in soak.runs if run.id == soak.reference and run.started_s is not None]
    if len(said["interruptions"]) != len(starts) - 1:
        bad.append(f"it counts {len(said['interruptions'])} interruptions of {len(starts)} starts")
    ran = sum((run.ended_s or soak.ended_s) - (run.started_s or 0) for run in starts)
    if abs(parts.get("running", 0.0) - ran) > LEDGER_TOLERANCE_S:
        bad.append(f"it counts {parts.get('running', 0.0):.0f} s of run, and the starts {ran:.0f} s")
    words = ", ".join(f"{seconds:.0f} s {what}" for what, seconds in parts.items())
    return (
        f"{words}; {whole:.0f} s in all, {clock} (tolerance {LEDGER_TOLERANCE_S:.0f} s)",
        bad,
    )


def weekly(soak: Soak) -> Found:
    """The report of the week counts what the journal has, cause by cause."""
    if not soak.weekly:
        return "no report", ["`railbed report weekly` gave nothing"]
    since = moment(str(soak.weekly["summary"]["since"]))
    events = [event for event in [*soak.older, *soak.journal] if at(event) >= since]
    own: Counter[str] = Counter()
    for event in events:
        if event.get("event") == "repair-causes":
            own.update([str(code) for code in event.get("causes") or ["no fault reported"]])
    said = {one["code"]: one["repairs"] for one in soak.weekly["causes"]}
    bad = [] if said == dict(own) else [f"it has the causes {said}, and the journal {dict(own)}"]
    counted = soak.weekly["summary"]["events"]
    for what in ("repair begun", "repair passed", "repair failed"):
        many = sum(event.get("event") in EVENTS[what] for event in events)
        if counted.get(what, 0) != many:
            bad.append(f"it counts {counted.get(what, 0)} of `{what}`, and the journal has {many}")
    causes = ", ".join(f"{code} {many}" for code, many in sorted(own.items())) or "none"
    return f"causes: {causes}; {counted.get('repair begun', 0)} repairs begun", bad


def journal(soak: Soak) -> Found:
    """Nothing that was ever in the journal went, each line is whole, and each command left its end there."""
    bad = []
    if not soak.written.startswith(soak.kept):
        same = next(
            (n for n, (a, b) in enumerate(zip(soak.kept, soak.written, strict=False)) if a != b),
            len(soak.written),
        )
        bad.append(f"what was read before differs from byte {same} on")
    lines = soak.written.count(b"\n")
    torn = lines - len(soak.journal)
    if torn > len(soak.kills):
        bad.append(f"{torn} lines are not whole, and {len(soak.kills)} commands were killed")
    before = 0.0
    for event in soak.journal:
        if at(event) < before - SLACK_S:
            bad.append(f"{event.get('event')} of {event.get('at')} stands behind a later one")
        before = max(before, at(event))
    for noun, node, status in soak.commands:
        wanted = {("repair", 0): {"repair-resumed"}, ("swap", 0): {"swap-done"}}.get((noun, status))
        if wanted and not any(e.get("node") == node and e.get("event") in wanted for e in soak.journal):
            bad.append(f"{noun} of {node} ended with {status}, and its end is not in the journal")
    return f"{lines} entries, {torn} torn by {len(soak.kills)} kills, {len(soak.commands)} commands", bad


def kills(soak: Soak) -> Found:
    """A repair that was killed was gone on from by the same command."""
    if not soak.kills:
        return "no repair was killed", ["no repair was killed, so nothing is shown"]
    bad = []
    for one in soak.kills:
        if one.status != 0:
            bad.append(
                f"repair of {one.node}, killed after {one.after}: the same command ended with {one.status}"
            )
        if len(soak.written) < one.size:
            bad.append(
                f"the journal had {one.size} bytes when the repair of {one.node} was killed, and has {len(soak.written)}"
            )
    return "; ".join(f"{one.node} after {one.after}; again: {one.status}" for one in soak.kills), bad


CONDITIONS: Mapping[str, Callable[[Soak], Found]] = {
    "every fault came to its end, by its own name": faults,
    "no job was ended by railbed": killed,
    "every job came to its end": finished,
    "the reference job ended as an undisturbed one": reference,
    "the job's ledger adds up": ledger,
    "the week's report counts what was": weekly,
    "the journal lost nothing": journal,
    "a repair killed with -9 went on": kills,
}


def moment(text: str) -> float:
    """Seconds since the epoch of a time of the journal."""
    return datetime.fromisoformat(text).timestamp()
