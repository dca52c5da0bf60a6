"""The rails: each by itself, both directions, against two partners; then all rails of all nodes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from railbed.claims import Judged, Verdict
from railbed.contract import Node
from railbed.defaults import RAIL_OMIT_S
from railbed.effects.journal import now_iso
from railbed.judge import rails as law
from railbed.judge.rails import RailSample
from railbed.validate import flows
from railbed.validate.answers import against_floor, disturbed, unproven
from railbed.validate.conditions import Watch, words
from railbed.validate.pairs import Pair, meeting_rounds, packed, ring_flows, ring_rounds, star_rounds
from railbed.validate.patience import Patience
from railbed.validate.scope import Question
from railbed.validate.survey import Survey, able, apart, enough, may_go_on
from railbed.validate.validation_run import ValidationRun

RAIL_ATTEMPTS = 4
"""Rounds with each node that is in doubt; two windows each, so that PAIRED_WINDOWS are reached."""

EACH = "fabric.rail.*.bandwidth"
TOGETHER = "fabric.all_rails"


def run(validation: ValidationRun) -> None:
    """Measures what is asked of the rails. Nodes with a job on them are left alone."""
    if not (validation.scope.asks(EACH) or validation.scope.asks(TOGETHER)):
        return
    nodes = able(validation, EACH)
    if validation.scope.asks(EACH):
        _each(validation, nodes)
    if validation.scope.asks(TOGETHER):
        _together(validation, nodes)


def _rounds(validation: ValidationRun, names: Sequence[str]) -> list[list[Pair]]:
    """Every node in a ring; one node with partners; some nodes in a ring, with a partner from outside where they are two."""
    only = [name for name in names if name in validation.scope.only]
    if not validation.scope.only:
        return ring_rounds(names)
    others = [name for name in names if name not in only]
    # Those with a dead rail of their own say less and come last.
    others.sort(key=lambda name: name in validation.dead_rails)
    if len(only) == 1:
        return star_rounds(only[0], others[: law.PARTNERS_NEEDED])
    return ring_rounds([*only, *others[: max(0, law.PARTNERS_NEEDED + 1 - len(only))]])


def _each(validation: ValidationRun, nodes: Sequence[Node]) -> None:
    survey, patience = Survey(validation, nodes), Patience(validation.say)
    asked = [q for q in validation.scope.get(EACH) if q.node in survey.nodes]
    rounds = _rounds(validation, list(survey.nodes)) if asked else []
    for number, pairs in enumerate(rounds, 1):
        survey.round(pairs, f"round {number} of {len(rounds)}")
    verdicts = _judge(validation, survey.samples, asked)
    for attempt in range(RAIL_ATTEMPTS):
        doubtful = _doubtful(validation, verdicts, confirmed=attempt > 0)
        if not doubtful or not may_go_on(survey, patience):
            break
        # Slow is what is slow again: a path by itself, a node with other partners.
        paths = packed(_slow_paths(verdicts, doubtful))
        others = meeting_rounds(doubtful, _by_soundness(survey, doubtful), attempt=attempt)
        for pairs in [*paths, *others]:
            survey.round(pairs, "once more")
        verdicts = _judge(validation, survey.samples, asked)
    evidence = validation.keep("rails/samples.json", [s.model_dump(mode="json") for s in survey.samples])
    for verdict in verdicts:
        validation.answers.add(verdict.model_copy(update={"evidence": evidence, "at": now_iso()}))
        if verdict.measured == 0:
            reason = f"blocked by {verdict.claim} on {verdict.node}"
            validation.dead_rails.setdefault(verdict.node, reason)


def _doubtful(validation: ValidationRun, verdicts: Sequence[Judged], *, confirmed: bool) -> list[str]:
    """Nodes to measure again: a rail is not proved, or, unless ``confirmed``, failed for the first time."""
    settled = (Verdict.PASS, Verdict.FAIL) if confirmed else (Verdict.PASS,)
    names = dict.fromkeys(v.node for v in verdicts if v.verdict not in settled and v.floor is not None)
    return [name for name in names if name not in validation.dead_rails]


def _slow_paths(verdicts: Sequence[Judged], doubtful: Sequence[str]) -> list[Pair]:
    """Pairs of nodes in doubt with a flow between them below its floor: a slow flow makes both doubtful."""
    found: dict[Pair, None] = {}
    for verdict in verdicts:
        if verdict.node not in doubtful or verdict.verdict is Verdict.PASS or verdict.floor is None:
            continue
        for partners in verdict.detail["partners"].values():
            for partner, gbps in partners.items():
                if partner in doubtful and gbps < verdict.floor:
                    found[min(verdict.node, partner), max(verdict.node, partner)] = None
    return list(found)


def _by_soundness(survey: Survey, doubtful: Sequence[str]) -> list[str]:
    """All nodes, those without doubt first."""
    return sorted(survey.nodes, key=lambda name: name in doubtful)


def _judge(
    validation: ValidationRun, samples: Sequence[RailSample], asked: Sequence[Question]
) -> list[Judged]:
    """The verdicts asked for, with all rails in view: siblings separate a slow rail from a slow node."""
    found = []
    for question in asked:
        if question.claim.expectation is None:
            reason = "the contract does not say what this rail must reach"
            validation.answers.why(question.claim.id, reason, [question.node])
            continue
        index = int(question.claim.id.split(".")[2])
        found += law.judge(
            samples, {index: question.claim.expectation}, [question.node], least_omitted_s=RAIL_OMIT_S,
            simulated=question.claim.simulated,
        )  # fmt: skip
    return found


def _together(validation: ValidationRun, free: Sequence[Node]) -> None:
    question = validation.scope.get(TOGETHER)[0]
    if not enough(validation, TOGETHER, free):
        return
    survey, patience = Survey(validation, free), Patience(validation.say)
    nodes = survey.nodes
    wanted = [flow for a, b in ring_flows(list(nodes)) for flow in survey.each_rail(a, b)]
    explained = validation.rail_failed(nodes)
    failed, seconds = 0, survey.seconds
    for attempt in range(1, RAIL_ATTEMPTS + 1):
        again = f", once more, {seconds} s" if attempt > 1 else ""
        validation.say(f"all rails of {len(free)} nodes at once{again}")
        name = f"rails/together-{attempt}.json"
        samples, seen = survey.measure(wanted, bidirectional=False, name=name, seconds=seconds)
        record = _judged_together(question, samples, seen, f"evidence/{name}", seconds)
        failed += record.verdict is Verdict.FAIL
        # Where a rail failed by itself, that explains it, and once is enough.
        if record.verdict is Verdict.PASS or failed > 1 or explained:
            break
        if record.verdict is Verdict.UNPROVEN:
            seconds = survey.longer(seconds)
            if not patience.pause(record.reason):
                break
    validation.answers.add(survey.without(record))


def _judged_together(
    question: Question, samples: Sequence[RailSample], seen: Watch, evidence: str, seconds: int
) -> Judged:
    """The verdict on one window: a flow without a rate, or that did not run beside the others, is no measurement."""
    detail: dict[str, Any] = {"flows": [[s.sender, s.receiver, s.rail, s.gbps] for s in samples]}
    missing = list(dict.fromkeys(s.reason for s in samples if s.gbps is None))
    moving = [s for s in samples if s.gbps]
    together_s = flows.together_s(moving)
    if missing or not moving:
        reason = "; ".join(missing[:3]) or "no flow carried anything"
        return unproven(question, reason, evidence, detail)
    detail |= {"rates": flows.sums(samples), "together_s": round(together_s, 3)}
    slowest = min(rate for by_direction in detail["rates"].values() for rate in by_direction.values())
    record = against_floor(question, slowest, evidence=evidence, detail=detail)
    if why := apart(samples, seconds):
        return unproven(question, why, evidence, detail)
    return disturbed(record, words(seen.problems()))
