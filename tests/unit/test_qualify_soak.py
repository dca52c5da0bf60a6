"""The soak: what it draws, and each of its conditions on a soak that holds and on ones that must not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.qualify import soak_events, soak_jobs, soak_judging
from tests.qualify.soak_events import AT_ONCE, BOOTS, QUARANTINES, REPAIRS, TABLE, End, draw
from tests.qualify.soak_judging import CONDITIONS
from tests.qualify.soak_record import Fault, Kill, Small, Soak, Told

from railbed.defaults import REPAIRS_PER_POOL_HOUR_LEAST
from railbed.parse.sacct import JobRun
from railbed.platforms.lab.faults import FAULTS

BEGIN = 1_780_000_000.0
KINDS = {kind.fault: kind for kind in TABLE}
TEMPLATE = Path(soak_jobs.__file__).parents[2] / "infra/railbed/toolbox/job_templates/torchrun.sbatch"


def event(name: str, node: str, at_s: float, **fields: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(BEGIN + at_s, UTC).isoformat(timespec="seconds")
    return {"at": at, "event": name, "node": node, **fields}


def run(job: str, state: str, started: float, ended: float | None, *nodes: str) -> JobRun:
    last = None if ended is None else int(BEGIN + ended)
    return JobRun(job, "alice", state, int(BEGIN), int(BEGIN + started), last, nodes, "x")


def repair(node: str, at_s: float, code: str, *, mended: bool = True) -> list[dict[str, Any]]:
    names = ["repair-hold", "repair-rung", "repair-resumed"] if mended else ["repair-hold", "repair-failed"]
    return [
        event("repair-drain", node, at_s),
        event("repair-causes", node, at_s + 1, causes=[code]),
        *(event(name, node, at_s + 2 + place) for place, name in enumerate(names)),
    ]


def held() -> Soak:
    """A soak in which all of it held: a kind of each end, a job that lost its node, one that its owner queued again."""
    faults = [
        Fault(KINDS["gpu-missing"], "h100-0", BEGIN + 50, BEGIN + 200),
        Fault(KINDS["gpu-remap-failed"], "h100-1", BEGIN + 300),
        Fault(KINDS["rail-down"], "h100-2", BEGIN + 400, BEGIN + 460),
        Fault(KINDS["fs-hangs"], "h100-3", BEGIN + 500, BEGIN + 560),
        Fault(KINDS["node-dies"], "h100-4", BEGIN + 600, BEGIN + 930),
    ]
    told = [
        Told(BEGIN + 440, "h100-2", "[railbed:healthcheck] nic-down: rail3 has no link", drained=True),
        Told(BEGIN + 540, "h100-3", "filesystem-silent: /scratch does not answer", drained=False),
        Told(BEGIN + 700, "h100-4", "unknown", drained=False),
    ]
    journal = [
        *repair("h100-0", 100, "gpu-missing"),
        event("repair-drain", "h100-0", 106),
        *repair("h100-1", 320, "gpu-row-failed", mended=False),
    ]
    ends = {"h100-1": "quarantined"}
    written = b"".join(json.dumps(one).encode() + b"\n" for one in journal)
    runs = [
        run("7", "REQUEUED", 5, 90, "h100-0", "h100-3"),
        run("7", "NODE_FAIL", 95, 905, "h100-3", "h100-4"),
        run("7", "COMPLETED", 910, 1000, "h100-0", "h100-3"),
        run("8", "COMPLETED", 10, 40, "h100-2"),
    ]
    counted = {"repair begun": 3, "repair passed": 1, "repair failed": 1}
    causes = [{"code": "gpu-missing", "repairs": 1}, {"code": "gpu-row-failed", "repairs": 1}]
    return Soak(
        faults=faults, told=told, journal=list(journal),
        life={f"h100-{n}": ends.get(f"h100-{n}", "healthy") for n in range(5)}, runs=runs,
        requeued=[(BEGIN + 89, "7")], small=[Small("8", ["begin 8", "end 8"])], reference="7", submitted_s=BEGIN,
        seen_s=BEGIN + 998, ended_s=BEGIN + 1003, wanted=["step 10 loss 0.5 on 2 ranks", "result ab"],
        got=["step 10 loss 0.5 on 2 ranks", "result ab"],
        ledger={"whole_s": 1000.0, "interruptions": [1, 2], "parts_s": {
            "running": 985.0, "first wait in the queue": 5.0, "gpu-missing on h100-0": 5.0, "a node failed": 5.0}},
        weekly={"causes": causes, "summary": {"events": counted, "since": event("", "", 0)["at"]}},
        kills=[Kill("h100-0", "repair-drain", 10, 0)], kept=written[:50], written=written,
        commands=[("repair", "h100-0", 0), ("repair", "h100-1", 3)],
    )  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_soak_that_held_holds_in_each_condition(name: str) -> None:
    found, bad = CONDITIONS[name](held())
    assert not bad and found


def _without(kind: str) -> Callable[[Soak], None]:
    def change(soak: Soak) -> None:
        soak.journal = [one for one in soak.journal if one["event"] != kind]

    return change


def _add(*events: dict[str, Any]) -> Callable[[Soak], None]:
    return lambda soak: soak.journal.extend(events)


def _set(**fields: Any) -> Callable[[Soak], None]:
    def change(soak: Soak) -> None:
        for name, value in fields.items():
            assert hasattr(soak, name)
            setattr(soak, name, value)

    return change


def _life(node: str, state: str) -> Callable[[Soak], None]:
    return lambda soak: setattr(soak, "life", {**soak.life, node: state})


def _run(place: int, **fields: Any) -> Callable[[Soak], None]:
    def change(soak: Soak) -> None:
        soak.runs[place] = replace(soak.runs[place], **fields)

    return change


def _ledger(**fields: Any) -> Callable[[Soak], None]:
    return lambda soak: setattr(soak, "ledger", {**soak.ledger, **fields})


ENDS = "every fault came to its end, by its own name"
KILLED, FINISHED = "no job was ended by railbed", "every job came to its end"
SAME, LEDGER = "the reference job ended as an undisturbed one", "the job's ledger adds up"
WEEK, JOURNAL, WENT_ON = (
    "the week's report counts what was",
    "the journal lost nothing",
    "a repair killed with -9 went on",
)
FAILING = [
    (ENDS, _set(faults=[]), "nothing was put in"),
    (ENDS, _without("repair-resumed"), "gpu-missing on h100-0: nothing gave the node back"),
    (ENDS, _without("repair-causes"), "repairs found nothing, not gpu-missing"),
    (ENDS, _life("h100-0", "draining"), "the node is draining at the end"),
    (ENDS, _life("h100-1", "healthy"), "the node is healthy at the end, not quarantined"),
    (ENDS, _without("repair-failed"), "no repair says that no rung mends it"),
    (ENDS, _set(told=[]), "rail-down on h100-2: nothing on the node said nic-down"),
    (ENDS, _set(told=[]), "node-dies on h100-4: nobody saw that the node was silent"),
    (ENDS, _add(event("repair-rung", "h100-2", 420)), "a repair worked on the node: repair-rung"),
    (ENDS, lambda soak: soak.told.append(replace(soak.told[1], drained=True)), "it was drained for it"),
    (ENDS, _add(event("repair-causes", "h100-3", 700, causes=["gpu-lost"])), "a repair of h100-3 found gpu-lost"),
    (KILLED, _set(runs=[]), "no job ran"),
    (KILLED, _run(3, state="CANCELLED"), "job 8 on h100-2 ended as CANCELLED"),
    (KILLED, _set(requeued=[]), "job 7 on h100-0, h100-3 ended as REQUEUED, and no fault explains it"),
    (KILLED, _run(1, nodes=("h100-3",)), "ended as NODE_FAIL, and no fault explains it"),
    (KILLED, _add(event("repair-hold", "h100-2", 25)), "repair-hold of h100-2"),
    (FINISHED, _run(2, state="PENDING"), "job 7 stands as PENDING"),
    (FINISHED, _set(small=[Small("8", ["begin 8"])]), "job 8 wrote no end: begin 8"),
    (FINISHED, _set(small=[Small("8", ["begin 8", "begin 8", "end 8"])]), "job 8 began 2 times"),
    (FINISHED, _set(small=[Small("9", ["begin 9", "end 9"])]), "do not know job 9"),
    (FINISHED, _set(small=[]), "no short job ran"),
    (SAME, _set(got=["step 10 loss 0.5 on 2 ranks", "result cd"]), "it ended with result cd"),
    (SAME, _set(got=["step 10 loss 0.6 on 2 ranks", "result ab"]), "1 lines differ"),
    (SAME, _set(got=[]), "the disturbed run gave no result"),
    (SAME, _set(wanted=[]), "the undisturbed run gave no result"),
    (LEDGER, _set(ledger={}), "gave nothing"),
    (LEDGER, _ledger(whole_s=1040.0), "it counts 1040 s, and it were 998 to 1003 s by the clock"),
    (LEDGER, _ledger(whole_s=960.0), "it counts 960 s, and it were 998 to 1003 s by the clock"),
    (LEDGER, _ledger(parts_s={"running": 985.0}), "the parts come to 985 s of 1000 s"),
    (LEDGER, _ledger(interruptions=[1]), "it counts 1 interruptions of 3 starts"),
    (LEDGER, _ledger(parts_s={"running": 900.0, "a node failed": 100.0}), "it counts 900 s of run, and the starts 985 s"),
    (WEEK, _set(weekly={}), "gave nothing"),
    (WEEK, _without("repair-causes"), "it has the causes"),
    (WEEK, _without("repair-drain"), "it counts 3 of `repair begun`, and the journal has 0"),
    (JOURNAL, _set(kept=b"another"), "differs from byte 0 on"),
    (JOURNAL, lambda soak: setattr(soak, "written", soak.written + b'{"at": \n{"at\n'), "2 lines are not whole, and 1 commands"),
    (JOURNAL, _without("repair-resumed"), "repair of h100-0 ended with 0, and its end is not in the journal"),
    (JOURNAL, _add(event("drain", "h100-0", 0)), "stands behind a later one"),
    (WENT_ON, _set(kills=[]), "no repair was killed"),
    (WENT_ON, _set(kills=[Kill("h100-0", "repair-rung", 10, 3)]), "the same command ended with 3"),
    (WENT_ON, _set(kills=[Kill("h100-0", "repair-rung", 10**6, 0)]), "the journal had 1000000 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "told"), FAILING)
def test_one_that_did_not_fails_and_says_why(name: str, change: Callable[[Soak], None], told: str) -> None:
    soak = held()
    change(soak)
    _, bad = CONDITIONS[name](soak)
    assert any(told in one for one in bad), bad


def test_each_condition_can_fail() -> None:
    assert {name for name, _, _ in FAILING} == set(CONDITIONS)


def test_one_seed_gives_one_soak_and_another_another() -> None:
    assert draw(1, 1800) == draw(1, 1800) != draw(2, 1800)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("seconds", [300, 1800, 7200])
def test_a_draw_stays_within_the_budgets_and_has_a_repair(seed: int, seconds: float) -> None:
    found = draw(seed, seconds)
    ends = Counter(one.kind.end for one in found)
    assert ends[End.REPAIRED] + ends[End.QUARANTINED] <= REPAIRS < REPAIRS_PER_POOL_HOUR_LEAST
    assert ends[End.QUARANTINED] <= QUARANTINES and sum(one.kind.boot_mends for one in found) <= BOOTS
    assert ends[End.DIED] <= (1 if seconds >= soak_events.LONG_S else 0)
    assert [one.at_s for one in found] == sorted(one.at_s for one in found)
    assert all(0 < one.at_s < seconds * soak_events.LAST_SHARE for one in found)
    assert len(found) < 2 or ends[End.REPAIRED]


def test_the_default_soak_has_every_end() -> None:
    from tests.qualify.soak import MINUTES, SEED

    assert {one.kind.end for one in draw(SEED, MINUTES * 60)} == set(End)


def test_kinds_are_of_the_library_and_nodes_of_those_that_are_well() -> None:
    assert {kind.fault for kind in TABLE} - {soak_events.DIES} <= set(FAULTS)
    (first, *_) = draw(1, 1800)
    assert (
        replace(first, draw=0.0).node(["a", "b"]) == "a"
        and replace(first, draw=0.999).node(["a", "b"]) == "b"
    )
    assert AT_ONCE == 2


def test_the_reference_job_is_the_template_with_more_steps() -> None:
    made = soak_jobs.training(TEMPLATE.read_text(), 1200, 0.5, 90)
    assert (
        "range(first, 1200)" in made and "sleep(0.5)" in made and "--time=90" in made and "'result'" in made
    )
    with pytest.raises(ValueError, match="the template has no"):
        soak_jobs.training("#!/bin/sh\n", 1200, 0.5, 90)


def test_what_an_attempt_does_again_counts_once_and_only_where_it_is_the_same() -> None:
    again = "step 10 loss 0.5 on 2 ranks\nrank 0 goes on from step 0\nstep 10 loss 0.5 on 2 ranks\nresult ab\ndone\n"
    assert soak_jobs.result(again) == ["step 10 loss 0.5 on 2 ranks", "result ab"]
    assert len(soak_jobs.result(again.replace("0.5", "0.6", 1))) == 3


def test_times_of_the_journal_are_read_as_they_are_written() -> None:
    assert soak_judging.moment(event("", "", 0)["at"]) == BEGIN
