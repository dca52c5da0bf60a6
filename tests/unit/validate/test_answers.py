from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Claim, Expectation, Verdict
from railbed.validate.answers import NOT_MEASURED, Answers, against_floor, judged, total
from railbed.validate.scope import Question, Scope

NODES = ["", "a", "b"]
NAMES = ["node.gpus", "fabric.rail.0.bandwidth", "job.resume"]


def question(claim: str = "storage.write", node: str = "", floor: float | None = None) -> Question:
    expectation = (
        None
        if floor is None
        else Expectation(unit="MB/s", floor=floor, basis="declared", derivation=["it is"])
    )
    return Question(Claim(id=claim, statement="", roles=[], expectation=expectation, simulated=True), node)


QUESTIONS = tuple(question(claim, node) for claim in NAMES for node in NODES)
seen = st.lists(st.tuples(st.sampled_from(QUESTIONS), st.sampled_from(list(Verdict))), max_size=20)


@given(seen)
def test_every_question_gets_one_verdict_and_silence_is_never_a_pass(
    found: list[tuple[Question, Verdict]],
) -> None:
    answers = Answers(Scope(QUESTIONS))
    for asked, verdict in found:
        answers.add(judged(asked, verdict, "seen"))
    complete = answers.complete()
    assert [(c.claim, c.node) for c in complete] == [q.key for q in QUESTIONS]
    answered = {asked.key for asked, _ in found}
    for record in complete:
        if (record.claim, record.node) not in answered:
            assert record.verdict is Verdict.UNPROVEN
            assert record.reason == NOT_MEASURED
    missing = len(answered) < len(QUESTIONS)
    assert total(complete, {}) is not Verdict.PASS or not missing


@given(seen)
def test_the_first_answer_stands(found: list[tuple[Question, Verdict]]) -> None:
    answers, first = Answers(Scope(QUESTIONS)), {}
    for asked, verdict in found:
        first.setdefault(asked.key, verdict)
        answers.add(judged(asked, verdict, "seen"))
    assert all(answers.of(*key).verdict is verdict for key, verdict in first.items())  # type: ignore[union-attr]


def test_an_answer_that_nobody_asked_for_is_dropped() -> None:
    answers = Answers(Scope(QUESTIONS[:1]))
    answers.add(judged(QUESTIONS[1], Verdict.PASS, "seen"))
    assert len(answers.complete()) == 1


def test_the_reason_for_silence_is_told() -> None:
    answers = Answers(Scope(QUESTIONS))
    answers.why("fabric.*", "blocked by job 7 of alice", ["a"])
    reasons = {(c.claim, c.node): c.reason for c in answers.complete()}
    assert reasons["fabric.rail.0.bandwidth", "a"] == "blocked by job 7 of alice"
    assert reasons["fabric.rail.0.bandwidth", "b"] == NOT_MEASURED


def test_a_number_is_judged_by_its_floor() -> None:
    good, bad = against_floor(question(floor=20.0), 25.0), against_floor(question(floor=20.0), 19.9)
    assert good.verdict is Verdict.PASS
    assert (good.measured, good.unit, good.floor, good.basis, good.simulated) == (
        25.0,
        "MB/s",
        20.0,
        "declared",
        True,
    )
    assert bad.verdict is Verdict.FAIL
    assert "below the floor" in bad.reason


def test_a_number_without_a_floor_proves_nothing() -> None:
    assert against_floor(question(), 1e9).verdict is Verdict.UNPROVEN


def test_only_an_accepted_claim_may_stay_unproven() -> None:
    records = [judged(question("a"), Verdict.PASS, ""), judged(question("b"), Verdict.UNPROVEN, "")]
    assert total(records, {}) is Verdict.UNPROVEN
    assert total(records, {"b": "known"}) is Verdict.PASS
    failing = [*records, judged(question("c"), Verdict.FAIL, "")]
    assert total(failing, {"b": "known", "c": "no"}) is Verdict.FAIL
