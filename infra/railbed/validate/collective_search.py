"""Who is to blame for a collective that failed although no rail, card or node did by itself: pairs of its nodes run it in rounds.

The same start as any collective, judged by the same claim over two nodes. Where something else explains the failure, or nothing
failed, nothing runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from railbed import blame, fault_search
from railbed.claims import Claim, Judged, Verdict
from railbed.defaults import SEARCH_TRIES, SSH_FANOUT
from railbed.errors import RailbedError
from railbed.fault_search import Record, Search
from railbed.fault_search.decision import PARTNERS_TO_TELL
from railbed.validate import collective_start
from railbed.validate.blame_search import Budget, Measured, Outcome, Pair, across_units, confidence, find
from railbed.validate.collective_table import NAME, judged_log, sizes_of
from railbed.validate.conditions import Watch, watch, words
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

RULE = {"least_failing": 1.0, "most_rounds": 40}
"""The fault missed its floor in every run: it fails each of its tests."""
WRONG = "wrong data"


def run(validation: ValidationRun) -> None:
    """Searches until every failed collective that nothing else explains has had its search, within one budget."""
    budget, searched = Budget(), set[str]()
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
    pairs = _Pairs(validation, op, claim)
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


class _Pairs:
    """Starts of one collective over pairs of nodes."""

    def __init__(self, validation: ValidationRun, op: str, claim: Claim) -> None:
        self.validation, self.op, self.question = validation, op, Question(claim, "")
        self.machine = validation.contract.machine(validation.rail_nodes()[0].machine)
        self.sizes = sizes_of(self.machine, claim)
        self.stages = 0

    def measure(self, number: int, pairs: Sequence[Pair]) -> dict[Pair, Measured]:
        """All pairs at once. One that fails runs again: only what fails every time, on quiet nodes, counts as failed."""
        self.stages += 1
        found: dict[Pair, Measured] = {}
        pending = list(pairs)
        for attempt in range(1, SEARCH_TRIES + 1):
            name = f"collectives/search-{self.op}-{number}-{self.stages}" + (
                f"-{attempt}" if attempt > 1 else ""
            )
            for pair, measured in self._once(pending, name).items():
                runs = measured.runs + (found[pair].runs if pair in found else 0)
                found[pair] = Measured(measured.verdict, runs, measured.measured, measured.reason)
            pending = [pair for pair in pending if found[pair].verdict is Verdict.FAIL]
            if not pending:
                break
        return found

    def _once(self, pairs: Sequence[Pair], name: str) -> dict[Pair, Measured]:
        validation, by_name = self.validation, {"+".join(pair): pair for pair in pairs}
        with watch(validation.remote, [node for pair in pairs for node in pair]) as seen:
            starts = validation.remote.each(
                by_name,
                lambda one: collective_start.run(
                    validation, self.machine, self.op, by_name[one], self.sizes, counted=False
                ),
                SSH_FANOUT,
            )
        validation.keep(f"{name}.txt", "\n".join(f"# {one}\n{start.stdout}" for one, start in starts.items()))
        errors = {one: start.stderr for one, start in starts.items() if start.stderr.strip()}
        if errors:
            validation.keep(
                f"{name}.stderr.txt", "\n".join(f"# {one}\n{text.strip()}" for one, text in errors.items())
            )
        validation.keep(f"{name}.conditions.json", seen.plain())
        return {pair: self._tested(starts[one], pair, seen) for one, pair in by_name.items()}

    def _tested(self, start: collective_start.Start, pair: Pair, seen: Watch) -> Measured:
        record = None if start.problem else judged_log(start.stdout, self.question, list(pair), self.machine)
        if record is None:
            return Measured(Verdict.UNPROVEN, 1, reason=start.problem or "no result")
        bad = words(seen.problems(pair))
        measured = record.measured if isinstance(record.measured, float) else None
        if record.verdict is Verdict.FAIL and bad:
            return Measured(Verdict.UNPROVEN, 1, measured, bad)
        return Measured(record.verdict, 1, measured, record.reason)
