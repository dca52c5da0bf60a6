"""Who is to blame for a collective that failed although no rail, card or node did by itself: pairs of its nodes run it in rounds.

The same start as any collective, judged by the same claim over two nodes. Where something else explains the failure, or nothing
failed, nothing runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from railbed import blame, fault_search
from railbed.claims import Judged, Verdict
from railbed.errors import RailbedError
from railbed.fault_search import Record, Search
from railbed.fault_search.decision import PARTNERS_TO_TELL
from railbed.validate import rail_runs
from railbed.validate.blame_search import Budget, Measured, Outcome, Pair, across_units, confidence, find
from railbed.validate.collective_pairs import Pairs
from railbed.validate.collective_start import Start
from railbed.validate.collective_table import NAME, judged_log, sizes_of
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

RULE = {"least_failing": 1.0, "most_rounds": 40}
"""The fault missed its floor in every run: it fails each of its tests."""
WRONG = "wrong data"


def run(validation: ValidationRun, budget: Budget) -> None:
    """Searches until every failed collective that nothing else explains has had its search, within the budget."""
    searched = set[str]()
    while failed := [one for one in unexplained(validation.answers.given()) if _op(one) not in searched]:
        worst = min(failed, key=_severity)
        searched.add(_op(worst))
        outcome = _search(validation, worst, budget)
        if outcome is None:
            continue
        for one in failed:
            validation.answers.amend(explained(one, outcome, own=_op(one) == _op(worst)))


def unexplained(given: Sequence[Judged]) -> list[Judged]:
    """The collectives that failed, and whose culprit, if any, is only inferred from them."""
    culprits = blame.culprits(given)
    known = {claim for one in culprits if one.confidence > blame.INFERRED for claim in one.claims}
    return [
        one
        for one in given
        if one.verdict is Verdict.FAIL and NAME.fullmatch(one.claim) and one.claim not in known
    ]


def explained(record: Judged, outcome: Outcome, *, own: bool) -> Judged:
    """The verdict with whom a search names of those that took part. ``own``: of this collective, so that also nobody is said."""
    nodes = set(record.detail.get("nodes") or ())
    mine = [
        one for one in outcome.culprits
        if (one.node in nodes if one.node else nodes.issuperset(_ends(one.part)))
    ]  # fmt: skip
    if not mine and not own:
        return record
    detail = {**record.detail, "search": outcome.plain()}
    if mine:
        detail["guilty"] = [[one.node, one.part] for one in mine]
        detail["confidence"] = min(confidence(one) for one in mine)
    return record.model_copy(update={"reason": f"{record.reason}; {outcome.summary()}", "detail": detail})


def _ends(part: str) -> list[str]:
    """The nodes that a way joins; none of another part that is nobody's alone."""
    found = re.fullmatch(r"way (\S+) (\S+)", part)
    return list(found.groups()) if found else []


def _op(record: Judged) -> str:
    return record.claim.partition("@")[0].removeprefix("collective.")


def _severity(record: Judged) -> tuple[bool, float]:
    """Wrong data first, then what lacks most of its floor."""
    measured, floor = record.measured, record.floor
    share = measured / floor if isinstance(measured, float) and floor else 1.0
    return WRONG not in record.reason, share


def _search(validation: ValidationRun, failed: Judged, budget: Budget) -> Outcome | None:
    """None where too few nodes can run a pair, or nothing says what a pair must reach."""
    op = _op(failed)
    claim = next((one for one in validation.contract.claims if one.id == f"collective.{op}@2"), None)
    usable, why = validation.usable(2)
    if (
        pairs_differ := validation.contract.machine(
            validation.rail_nodes()[0].machine
        ).nodes_per_nvlink_domain
        > 1
    ):
        why = "a pair within one NVLink domain and one across two have different floors"
    if claim is None or claim.expectation is None or not usable or pairs_differ:
        validation.say(f"no search for who is to blame for {failed.claim}: {why or 'no claim for pairs'}")
        return None
    hosts, good = _players(validation.answers.given(), op, usable)
    validation.say(
        f"{failed.claim} failed and nothing else explains it: a search among {len(hosts)} nodes, "
        f"at most {budget.runs - budget.used} runs"
    )
    machine = validation.contract.machine(validation.rail_nodes()[0].machine)

    def tested(start: Start, pair: Pair) -> Measured:
        found = None if start.problem else judged_log(start.stdout, Question(claim, ""), list(pair), machine)
        if found is None:
            return Measured(Verdict.UNPROVEN, 1, reason=start.problem or "no result")
        rate = found.measured if isinstance(found.measured, float) else None
        return Measured(found.verdict, 1, rate, found.reason)

    pairs = Pairs(validation, op, sizes_of(machine, claim), tested, f"search-{op}")
    record = fault_search.begin(Search(hosts=hosts, known_good=good, rule=RULE))
    name = f"collectives/search-{op}.json"
    try:
        together = [node for node in failed.detail.get("nodes") or () if node in usable]
        outcome = find(
            record, pairs.measure, budget, validation.say, lambda one: _keep(validation, name, one), together
        )
    except RailbedError as broken:
        validation.say(f"the search broke off: {broken.message}")
        return None
    outcome.withheld = across_units(
        outcome, {node.name: node.scalable_unit for node in validation.rail_nodes()}
    )
    if WRONG not in failed.reason:
        rail_runs.narrow(validation, outcome, op, sizes_of(machine, claim), budget)
    validation.say(outcome.summary())
    return outcome


def _keep(validation: ValidationRun, name: str, record: Record) -> None:
    validation.keep(name, fault_search.lines(record))


def _players(given: Sequence[Judged], op: str, usable: Sequence[str]) -> tuple[list[str], list[str]]:
    """Suspects and trusted partners: nodes of groups that failed, and of groups that passed."""
    nodes: dict[Verdict, set[str]] = {Verdict.FAIL: set(), Verdict.PASS: set()}
    for one in given:
        if NAME.fullmatch(one.claim) and _op(one) == op and one.verdict in nodes:
            nodes[one.verdict].update(one.detail.get("nodes") or ())
    good = [name for name in usable if name in nodes[Verdict.PASS]]
    hosts = [name for name in usable if name in nodes[Verdict.FAIL] - nodes[Verdict.PASS]]
    if not hosts:
        # Each is also in a group that passed: then that says nothing of any of them.
        return [name for name in usable if name in nodes[Verdict.FAIL]] or list(usable), []
    if len(hosts) + len(good) < PARTNERS_TO_TELL:
        hosts += [name for name in usable if name not in {*hosts, *good}]
    return hosts, good
