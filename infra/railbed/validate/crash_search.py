"""Who is to blame for a collective that crashed: pairs of its nodes run it, and name a node with which it crashes every time.

One that ends in another way (it did not start, it hung) starts no search: a pair would only wait as long. Neither does one where
a claim of the accused node itself failed, which explains it.
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed import fault_search
from railbed.claims import Verdict
from railbed.errors import RailbedError
from railbed.fault_search import Search
from railbed.fault_search.decision import PARTNERS_TO_TELL
from railbed.text import few
from railbed.validate.answers import judged
from railbed.validate.blame_search import Budget, Measured, Outcome, Pair, confidence, find
from railbed.validate.collective_pairs import Pairs
from railbed.validate.collective_search import RULE
from railbed.validate.collective_start import Start
from railbed.validate.validation_run import Crash, ValidationRun


def run(validation: ValidationRun, budget: Budget) -> None:
    """Searches among the nodes of the largest group that crashed; again for what the node that it names does not explain."""
    searched = set[str]()
    while crashes := [one for one in _open(validation) if one.op not in searched]:
        worst = max(crashes, key=lambda one: len(one.nodes))
        searched.add(worst.op)
        outcome = _search(validation, worst, budget)
        if outcome is None or not outcome.culprits:
            for one in crashes if outcome else []:
                validation.answers.open(one.claim, f"{one.problem}; {outcome.summary() if outcome else ''}")
            return
        for one in _open(validation):
            _accuse(validation, one, outcome)


def _open(validation: ValidationRun) -> list[Crash]:
    """Crashes of collectives that nobody answered since."""
    return [one for one in validation.crashes if validation.answers.of(one.claim) is None]


def _accuse(validation: ValidationRun, crash: Crash, outcome: Outcome) -> None:
    """Fails a collective that ran with a node which makes it crash."""
    guilty = [one for one in outcome.culprits if one.node in crash.nodes]
    detail = {
        "nodes": list(crash.nodes), "search": outcome.plain(), "guilty": [[one.node, one.part] for one in guilty],
        "confidence": min((confidence(one) for one in guilty), default=0.0),
    }  # fmt: skip
    for question in validation.scope.get(crash.claim) if guilty else ():
        reason = f"it crashed: {crash.problem}; {outcome.summary()}"
        validation.answers.add(judged(question, Verdict.FAIL, reason, evidence=crash.evidence, detail=detail))


def _search(validation: ValidationRun, crash: Crash, budget: Budget) -> Outcome | None:
    """None where something else explains the crash, or too few nodes can run pairs."""
    if broken := [name for name in crash.accused if validation.broken(name)]:
        validation.say(f"no search for who made {crash.claim} crash: {few(broken)} failed claims of its own")
        return None
    usable, why = validation.usable(2)
    if away := [name for name in crash.accused if name not in usable]:
        # It rebooted, or the health check drained it: pairs of the others would say nothing of it.
        obstacle = validation.obstacle(away[0]) or why or f"{away[0]} runs no job together with the others"
        validation.answers.open(crash.claim, f"{crash.problem}; {obstacle}")
        validation.say(f"no search for who made {crash.claim} crash: {obstacle}")
        return None
    hosts = [name for name in usable if name in crash.nodes]
    if len(hosts) < 2:
        validation.say(f"no search for who made {crash.claim} crash: {why or 'its nodes cannot run pairs'}")
        return None
    good = _ended_well(validation, crash.op, usable)
    suspects = [name for name in hosts if name not in good] or hosts
    if len({*suspects, *good}) < PARTNERS_TO_TELL:
        suspects = hosts + [name for name in usable if name not in {*hosts, *good}]
    validation.say(
        f"{crash.claim} crashed: a search among {len(suspects)} nodes, at most {budget.runs - budget.used} runs"
    )
    pairs = Pairs(validation, crash.op, crash.sizes, _tested, f"crash-{crash.op}")
    record = fault_search.begin(Search(hosts=suspects, known_good=good, rule=RULE))
    name = f"collectives/crash-{crash.op}.json"
    try:
        outcome = find(
            record, pairs.measure, budget, validation.say, lambda one: _keep(validation, name, one), hosts
        )
    except RailbedError as stopped:
        validation.say(f"the search broke off: {stopped.message}")
        return None
    outcome.withheld, outcome.well = _withheld(outcome), "comes to its end"
    validation.say(outcome.summary())
    return outcome


def _keep(validation: ValidationRun, name: str, record: fault_search.Record) -> None:
    validation.keep(name, fault_search.lines(record))


def _ended_well(validation: ValidationRun, op: str, usable: Sequence[str]) -> list[str]:
    """Nodes of groups over which this collective came to its end, whatever its rate."""
    well = {
        node
        for one in validation.answers.given()
        if one.claim.startswith(f"collective.{op}@")
        for node in one.detail.get("nodes") or ()
    }
    return [name for name in usable if name in well]


def _tested(start: Start, _: Pair) -> Measured:
    """A pair fails where the program crashes, and passes where it comes to its end with a table."""
    if not start.problem:
        return Measured(Verdict.PASS, 1)
    return Measured(Verdict.FAIL if start.crashed else Verdict.UNPROVEN, 1, reason=start.problem)


def _withheld(outcome: Outcome) -> str:
    """A node is named where pairs with it crash and others do not; a way between two nodes crashes no program."""
    tests = [test for one in outcome.record.rounds for test in one.tests if test.ran]
    if not any(test.verdict is Verdict.PASS for test in tests):
        return "it crashes over every pair of nodes"
    if any(not one.node for one in outcome.decision.culprits):
        return "only some pairs of nodes crash, and no node in all of its pairs"
    return ""
