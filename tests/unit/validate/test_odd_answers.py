"""One node's odd answer leaves that node's claims unproven (never a traceback, never a pass), and all others' as they are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.validate import odd
from tests.unit.validate.odd import answers_like, texts
from tests.unit.validate.test_storage import WELL

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract
from railbed.defaults import STORAGE_PROBE_BYTES
from railbed.effects import slurm_text
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError
from railbed.judge import transport
from railbed.parse.moosefs import data_servers, fewest_copies
from railbed.run import Result
from railbed.validate import checkpoint, on_node, port_counters, storage, transfers
from railbed.validate.answers import Answers
from railbed.validate.counters import prove
from railbed.validate.job_log import JobLog, Work, pace, resume
from railbed.validate.job_log import checkpoint as saved
from railbed.validate.rendezvous import Counted
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

ODD, OTHERS = "h100-1", ("h100-0", "h100-2", "h100-3")
RECORD = {"claim": "node.gpus", "verdict": "pass", "reason": "8 answer", "measured": 8, "unit": "GPUs", "expected": 8,
          "parts": [], "at": "2026-11-24T08:00:00+00:00"}  # fmt: skip
TRANSFER = {"seconds": 0.5, "bytes": STORAGE_PROBE_BYTES, "sha256": "0" * 64}
SHARE = 304_000_000_000
PART = {"node": ODD, "begin": 100.0, "end": 111.0, "bytes": SHARE, "wrong": []}
SIZE, RUNS, RAILS = 67_108_864, 10, ("0", "1")
PER_RAIL = int(transport.counted_per_rail(transport.payload_per_node("all_reduce", SIZE, 4, RUNS), 2, 0.9927))
COUNTED = {
    **{rail: {"carrier": True, "tx": PER_RAIL, "rx": PER_RAIL} for rail in RAILS},
    "management": {"carrier": True, "tx": 0, "rx": 0},
}
"""What a node's probe counts where every rail carried its share."""
PROGRESS = (Path(__file__).parent / "data" / "progress.jsonl").read_text()
NODES = [f"h100-{i}" for i in range(4)]
WORK = Work(NODES, 1, "cpu")
Answer = Callable[[str, str], Result | None]
Ask = Callable[[str, Callable[[ValidationRun], Any], Answer], dict[tuple[str, str], Judged]]


def parametrize(good: dict[str, Any]) -> Any:
    every = [*odd.TEXTS, *odd.bent(good)]
    return pytest.mark.parametrize("text", every, ids=lambda text: ascii(text[:40]))


fuzzed = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture
def ask(contract: Contract, tmp_path: Path, fake_remote: Any, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setattr(on_node, "bundle", lambda _: b"")

    def run(
        pattern: str, step: Callable[[ValidationRun], Any], answer: Answer
    ) -> dict[tuple[str, str], Judged]:
        expectation = Expectation(
            unit="GB/s", bound=110.0, expected=80.0, floor=72.0, basis="declared", derivation=["bought"], size_bytes=3 * SHARE,
        )  # fmt: skip
        more = [
            Claim(id=name, statement="", roles=[], expectation=expectation) for name in checkpoint.PAIRS[0]
        ]
        rates = [
            Claim(id=name, statement="", roles=[], expectation=expectation.model_copy(update={"unit": "MB/s", "floor": 20.0}))
            for name in (storage.WRITE, storage.READ)
        ]  # fmt: skip
        known = contract.model_copy(update={"claims": [*contract.claims, *rates, *more]})
        scope = select(known, pattern=pattern)
        validation = ValidationRun(
            known, remote := fake_remote(answer), scope, Answers(scope), tmp_path, lambda _: None
        )
        validation.scheduler = Scheduler(remote)
        step(validation)
        found = {(c.claim, c.node): c for c in validation.answers.complete()}
        for record in found.values():
            json.dumps(record.model_dump(mode="json"), allow_nan=False)
            assert "\x1b" not in record.reason
            assert not isinstance(record.measured, float) or math.isfinite(record.measured)
        return found

    return run


def check_suite(ask: Ask, text: str) -> None:
    def answer(node: str, line: str) -> Result:
        said = text if node == ODD else json.dumps([RECORD])
        return Result((), 0, said if "pytest" in line else "", "")

    found = ask("node.*", on_node.run, answer)
    assert {found["node.gpus", n].verdict for n in OTHERS} == {Verdict.PASS}
    assert {c.verdict for (_, node), c in found.items() if node == ODD} <= {Verdict.PASS, Verdict.UNPROVEN}
    if text in odd.TEXTS:
        assert {c.verdict for (_, node), c in found.items() if node == ODD} == {Verdict.UNPROVEN}


@pytest.mark.parametrize(
    "text", [*odd.TEXTS, *(f"[{one}]" for one in odd.bent(RECORD)), *odd.bent(RECORD)],
    ids=lambda text: ascii(text[:40]),
)  # fmt: skip
def test_on_node_checks(ask: Ask, text: str) -> None:
    check_suite(ask, text)


@fuzzed
@given(answers_like(RECORD).flatmap(lambda text: st.sampled_from([text, f"[{text}]"])))
def test_on_node_checks_with_anything(ask: Ask, text: str) -> None:
    if '"verdict": "fail"' not in text:
        check_suite(ask, text)


def check_storage(contract: Contract, ask: Ask, text: str, verb: str) -> None:
    def answer(node: str, line: str) -> Result:
        if "mktemp" in line:
            return Result((), 0, WELL, "")
        if "python3" in line:
            bad = node == ODD and f" {verb} " in line
            return Result((), 0, text if bad else json.dumps(TRANSFER), "")
        if "-SCS" in line:
            servers = contract.filesystems[0].data_servers
            rows = [f"x|{contract.node(n).address}|9422|1|-|3.0|0|-|1|1|100|0" for n in servers]
            return Result((), 0, "\n".join(rows), "")
        copies = "\tchunk 0: 0_0 / (id:0 ver:1)\n" + "\t\tcopy 1: 10.0.0.1:9422 (status:VALID)\n" * 2
        return Result((), 0, copies, "")

    found = ask("storage.[wrs]*", storage.run, answer)
    measured = {"read": storage.READ, "write": storage.WRITE}
    assert found[measured.pop(verb), ""].verdict is not Verdict.FAIL or storage_reads(text)
    assert found[measured.popitem()[1], ""].verdict is Verdict.PASS, "the other direction is as it was"
    record = found[storage.SERVERS, ""]
    if not storage_reads(text):
        assert record.verdict is Verdict.UNPROVEN
        assert f"{ODD} printed" in record.reason


def storage_reads(text: str) -> bool:
    """Whether the text is a transfer as the probe prints it, if of other numbers."""
    try:
        read = json.loads(text)
        transfers.Transfer.model_validate(read)
    except (ValueError, RecursionError):
        return False
    return "NaN" not in text and "e999" not in text


@pytest.mark.parametrize("verb", ["read", "write"])
@parametrize(TRANSFER)
def test_storage(contract: Contract, ask: Ask, text: str, verb: str) -> None:
    check_storage(contract, ask, text, verb)


@fuzzed
@given(answers_like(TRANSFER))
def test_storage_with_anything(contract: Contract, ask: Ask, text: str) -> None:
    check_storage(contract, ask, text, "read")


def check_checkpoint(ask: Ask, text: str) -> None:
    def answer(_: str, line: str) -> Result:
        if line.startswith("scontrol show node"):
            rows = [f"NodeName={n} Gres=gpu:8 State=IDLE Partitions=batch" for n in NODES]
            return Result((), 0, "\n".join(rows), "")
        if line.startswith("df "):
            return Result((), 0, f"Avail\n{10 * SHARE}\n", "")
        if "probe.py" in line:
            good = [json.dumps({**PART, "node": n}) for n in NODES[:3] if n != ODD]
            return Result((), 0, "\n".join([*good, text]), "")
        return Result((), 0, "", "")

    record = ask("storage.checkpoint", checkpoint.run, answer)["storage.checkpoint", ""]
    try:
        fine = checkpoint.CheckpointReply.model_validate(json.loads(text))
    except (ValueError, RecursionError):
        assert record.verdict is Verdict.UNPROVEN
    else:
        wrong = bool(fine.error or fine.wrong)
        assert record.verdict is not Verdict.PASS or (not wrong and fine.end is not None)


@parametrize(PART)
def test_checkpoint(ask: Ask, text: str) -> None:
    check_checkpoint(ask, text)


@fuzzed
@given(answers_like(PART))
def test_checkpoint_with_anything(ask: Ask, text: str) -> None:
    check_checkpoint(ask, text)


def test_one_node_does_not_answer_for_another(ask: Ask) -> None:
    check_checkpoint(ask, "\n".join([json.dumps({**PART, "node": "h100-0"})] * 5))


def check_counters(ask: Ask, text: str) -> Judged:
    def step(validation: ValidationRun) -> None:
        machines = [one.model_copy(update={"rails": len(RAILS)}) for one in validation.contract.machines]
        validation.contract = validation.contract.model_copy(update={"machines": machines})
        counts, none = port_counters.read(validation, NODES), Counted(carrier=True, tx=0, rx=0)
        if isinstance(counts, str):
            validation.answers.why(transport.CLAIM, counts)
            return
        began = {node: dict.fromkeys(COUNTED, none) for node in NODES}
        record = prove(validation, {"all_reduce": port_counters.between(began, counts, "all_reduce", [SIZE])})
        validation.answers.add(*([record] if record else []))

    def answer(node: str, line: str) -> Result | None:
        said = text if node == ODD else json.dumps(COUNTED)
        return Result((), 0, said, "") if " count " in line else None

    record = ask("fabric.transport", step, answer)["fabric.transport", ""]
    if record.verdict is Verdict.PASS:
        reply = json.loads(text)
        assert all(reply[rail]["tx"] == pytest.approx(PER_RAIL, rel=0.021) for rail in RAILS)
    return record


def test_counters_of_a_sound_cluster(ask: Ask) -> None:
    assert check_counters(ask, json.dumps(COUNTED)).verdict is Verdict.PASS
    assert check_counters(ask, "garbage").verdict is Verdict.UNPROVEN


@parametrize(COUNTED)
def test_counters(ask: Ask, text: str) -> None:
    check_counters(ask, text)


@fuzzed
@given(answers_like(COUNTED))
def test_counters_with_anything(ask: Ask, text: str) -> None:
    check_counters(ask, text)


EVENTS = PROGRESS.splitlines()


@pytest.mark.parametrize(
    "text", [t for e in (EVENTS[0], EVENTS[1], EVENTS[4]) for t in odd.bent(json.loads(e))][::3]
)
def test_progress_of_the_job(text: str) -> None:
    for place in range(0, len(EVENTS), 5):
        log = JobLog.read("\n".join([*EVENTS[:place], text, *EVENTS[place + 1 :]]))
        for outcome in (saved(log, WORK, "0" * 64), resume(log, WORK)):
            assert outcome.measured is None or math.isfinite(outcome.measured)


@given(st.lists(st.sampled_from(EVENTS) | texts | st.sampled_from(odd.TEXTS[:30]), max_size=30))
def test_any_progress(lines: list[str]) -> None:
    log = JobLog.read("\n".join(lines))
    saved(log, WORK, "")
    resume(log, WORK)
    pace(log)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "null"])
@pytest.mark.parametrize("attempts", [(0,), (1,), (0, 1)])
def test_losses_that_are_no_numbers_fail(number: str, attempts: tuple[int, ...]) -> None:
    def changed(line: str) -> str:
        event = json.loads(line)
        if event["event"] != "step" or event["attempt"] not in attempts:
            return line
        return json.dumps({**event, "loss": "@"}).replace('"@"', number)

    outcome = resume(JobLog.read("\n".join(changed(line) for line in EVENTS)), WORK)
    assert outcome.verdict is Verdict.FAIL


def test_one_loss_that_is_no_number_fails() -> None:
    lines = [line.replace('"step": 5, "loss": 0.', '"step": 5, "loss": null, "was": 0.') for line in EVENTS]
    assert lines != EVENTS
    outcome = resume(JobLog.read("\n".join(lines)), WORK)
    assert (outcome.verdict, outcome.reason) == (
        Verdict.FAIL,
        "the first run's loss of step 5 is not a number",
    )


@pytest.mark.parametrize(
    "where", ["n[0-999999999]", "n[0-65536]", "n[1-" + "9" * 5000 + "]", "n[", "n[²]", "[-]"]
)
def test_host_lists_of_a_hostile_user_are_refused(contract: Contract, fake_remote: Any, where: str) -> None:
    with pytest.raises(ValueError, match="not a host list"):
        slurm_text.hostlist(where)
    remote = fake_remote(lambda *_: Result((), 0, f"1|eve|RUNNING|{where}||x", ""))
    with pytest.raises(CommandError, match="printed what nobody can read"):
        Scheduler(remote).jobs()


@given(texts | st.sampled_from(odd.TEXTS))
def test_any_text_of_slurm_and_moosefs(text: str) -> None:
    slurm_text.nodes(text)
    slurm_text.nodes(f"NodeName=a Gres=gpu:{'9' * 5000} State={text} Reason={text}")["a"].gpus  # noqa: B018
    for read in (slurm_text.jobs, slurm_text.reservations):
        try:
            read(f"1|a|R|{text}|{text}|{text}\nReservationName=a Nodes={text}")
        except ValueError as refused:
            assert "not a host list" in str(refused)
    data_servers(f"{text}\nx|10.0.0.1|{'|'.join([text] * 12)}\nx|10.0.0.1|1|2|3|4|5|6|7|8|{'9' * 5000}|²")
    fewest_copies(text)


def test_a_reason_of_a_node_is_shown_as_text() -> None:
    reason = "a\x1b[2Jb\u202e [x] [/bold] " + "y" * 5000
    state = slurm_text.nodes(f"NodeName=n State=IDLE Reason={reason} [root@2026-11-24T08:25:55]")["n"]
    assert state.reason.startswith("ab? [x] [/bold] yyy")
    assert (len(state.reason), state.reason_by) == (500, "root")


@pytest.mark.parametrize("filler", [" ", " [a@", " [a@b", "a", " a=", "[", " Reason="])
def test_a_long_line_of_slurm_is_read_in_time(filler: str) -> None:
    line = "NodeName=n State=IDLE Reason=" + filler * (200_000 // len(filler)) + "x"
    assert slurm_text.nodes(line)["n"].base == "IDLE"
