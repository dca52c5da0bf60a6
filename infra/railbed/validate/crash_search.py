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
from railbed.validate.bench import Bench, Crash
from railbed.validate.blame_search import Budget, Measured, Outcome, Pair, confidence, find
from railbed.validate.collective_pairs import Pairs
from railbed.validate.collective_search import RULE
from railbed.validate.collective_start import Start


def run(bench: Bench, budget: Budget) -> None:
    """Searches among the nodes of the largest group that crashed; again for what the node that it names does not explain."""
    searched = set[str]()
    while crashes := [one for one in _open(bench) if one.op not in searched]:
        worst = max(crashes, key=lambda one: len(one.nodes))
        searched.add(worst.op)
        outcome = _search(bench, worst, budget)
        if outcome is None or not outcome.culprits:
            for one in crashes if outcome else []:
                bench.answers.open(one.claim, f"{one.problem}; {outcome.told() if outcome else ''}")
            return
        for one in _open(bench):
            _accuse(bench, one, outcome)


def _open(bench: Bench) -> list[Crash]:
    """Crashes of collectives that nobody answered since."""
    return [one for one in bench.crashes if bench.answers.of(one.claim) is None]


def _accuse(bench: Bench, crash: Crash, outcome: Outcome) -> None:
    """Fails a collective that ran with a node which makes it crash."""
    guilty = [one for one in outcome.culprits if one.node in crash.nodes]
    detail = {
        "nodes": list(crash.nodes), "search": outcome.plain(), "guilty": [[one.node, one.part] for one in guilty],
        "confidence": min((confidence(one) for one in guilty), default=0.0),
    }  # fmt: skip
    for question in bench.scope.get(crash.claim) if guilty else ():
        reason = f"it crashed: {crash.problem}; {outcome.told()}"
        bench.answers.add(judged(question, Verdict.FAIL, reason, evidence=crash.evidence, detail=detail))


def _search(bench: Bench, crash: Crash, budget: Budget) -> Outcome | None:
    """None where something else explains the crash, or too few nodes can run pairs."""
    if broken := [name for name in crash.accused if bench.broken(name)]:
        bench.say(f"no search for who made {crash.claim} crash: {few(broken)} failed claims of its own")
        return None
    usable, why = bench.usable(2)
    if away := [name for name in crash.accused if name not in usable]:
        # It rebooted, or the health check drained it: pairs of the others would say nothing of it.
        told = bench.obstacle(away[0]) or why or f"{away[0]} runs no job together with the others"
        bench.answers.open(crash.claim, f"{crash.problem}; {told}")
        bench.say(f"no search for who made {crash.claim} crash: {told}")
        return None
    hosts = [name for name in usable if name in crash.nodes]
    if len(hosts) < 2:
        bench.say(f"no search for who made {crash.claim} crash: {why or 'its nodes cannot run pairs'}")
        return None
    good = _ended_well(bench, crash.op, usable)
    suspects = [name for name in hosts if name not in good] or hosts
    if len({*suspects, *good}) < PARTNERS_TO_TELL:
        suspects = hosts + [name for name in usable if name not in {*hosts, *good}]
    bench.say(
        f"{crash.claim} crashed: a search among {len(suspects)} nodes, at most {budget.runs - budget.used} runs"
    )
    pairs = Pairs(bench, crash.op, crash.sizes, _tested, f"crash-{crash.op}")
    record = fault_search.begin(Search(hosts=suspects, known_good=good, rule=RULE))
    name = f"collectives/crash-{crash.op}.json"
    try:
        outcome = find(record, pairs.measure, budget, bench.say, lambda one: _keep(bench, name, one), hosts)
    except RailbedError as stopped:
        bench.say(f"the search broke off: {stopped.message}")
        return None
    outcome.withheld, outcome.well = _withheld(outcome), "comes to its end"
    bench.say(outcome.told())
    return outcome


def _keep(bench: Bench, name: str, record: fault_search.Record) -> None:
    bench.keep(name, fault_search.lines(record))


def _ended_well(bench: Bench, op: str, usable: Sequence[str]) -> list[str]:
    """Nodes of groups over which this collective came to its end, whatever its rate."""
    well = {
        node
        for one in bench.answers.given()
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
