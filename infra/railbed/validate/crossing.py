"""The claims ``fabric.cross_rail`` and ``fabric.bisection``: all nodes at once in disjoint pairs, in several permutations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import randbelow

from railbed.claims import Judged, Verdict
from railbed.contract import Contract, Node
from railbed.judge import paths as law
from railbed.judge.paths import Leaves
from railbed.judge.rails import RailSample
from railbed.laws.bandwidth import RAIL_GATE_FRACTION
from railbed.validate.answers import judged, unproven
from railbed.validate.flow_tool import Flow
from railbed.validate.pairs import Pair, packed
from railbed.validate.patience import Patience
from railbed.validate.permutations import crossed, permutations
from railbed.validate.scope import Question
from railbed.validate.survey import Survey, able, apart, blocked, enough, lit, rails_at_fault
from railbed.validate.validation_run import ValidationRun

CROSS_RAIL, BISECTION = "fabric.cross_rail", "fabric.bisection"
WITHIN, ACROSS, ATTEMPTS = 2, 4, 4
"""Permutations where all nodes are on the same leaves, and where pairs cross scalable units; windows of one."""
AGAIN, ROUNDS = 2, 2
"""Permutations more where a flow was slow, and the slow pairs themselves; the pairs of flows slow once, so many times."""
SEEDS = 2**31
SURENESS = 0.9
"""How sure it is of a part through which nearly all flows were slow, in several permutations."""

Flows = Callable[[Survey, Sequence[Pair], int], list[Flow]]
"""The flows of a permutation, and its number."""


def run(validation: ValidationRun) -> None:
    """Measures what is asked of both. Nodes with a job on them are left alone."""
    for claim, flows in ((CROSS_RAIL, _other_rails), (BISECTION, _same_rails)):
        if validation.scope.asks(claim):
            free = able(validation, claim)
            question = validation.scope.get(claim)[0]
            if not enough(validation, claim, free):
                continue
            if question.claim.expectation is None or question.claim.expectation.floor is None:
                validation.answers.why(claim, "nothing says what it must reach")
            else:
                validation.answers.add(_Crossing(validation, question, free, flows).measured())


def _same_rails(survey: Survey, pairs: Sequence[Pair], _: int) -> list[Flow]:
    return [flow for a, b in pairs for flow in survey.each_rail(a, b)]


def _other_rails(survey: Survey, pairs: Sequence[Pair], turn: int) -> list[Flow]:
    return crossed(pairs, min(len(node.rails) for node in survey.nodes.values()), turn)


class _Crossing:
    """The permutations of one claim."""

    def __init__(
        self, validation: ValidationRun, question: Question, free: Sequence[Node], flows: Flows
    ) -> None:
        self.validation, self.question, self.free, self.flows = validation, question, free, flows
        self.survey, self.patience = Survey(validation, free), Patience(validation.say)
        self.units = by_unit(free)
        self.leaves, self.known_leaves = leaves_of(validation.as_observed, free)
        self.seed = randbelow(SEEDS)
        self.dead, self.failed = rails_at_fault(validation)
        self.samples: list[RailSample] = []
        self.skipped: set[tuple[str, int]] = set()
        self.why = ""
        """Why the last window is no measurement of all flows together."""

    @property
    def _name(self) -> str:
        return self.question.claim.id.removeprefix("fabric.")

    def measured(self) -> Judged:
        """The verdict. What is slow is slow again: with others, and over the same way."""
        rounds = permutations(self.units, ACROSS if len(self.units) > 1 else WITHIN, self.seed)
        for turn, pairs in enumerate(rounds):
            if not self._window(pairs, turn):
                return self._record(self.outcome())
        found, turn = self.outcome(), len(rounds)
        if self._again(found):
            # The slow pairs, then each end with others; what only these saw slow is measured again too.
            more = permutations(self.units, AGAIN, self.seed + 1)
            for _ in range(ROUNDS):
                for pairs in [*packed(_pairs(found))[:AGAIN], *more]:
                    if not self._window(pairs, turn):
                        return self._record(self.outcome())
                    turn += 1
                found, more = self.outcome(), []
                if not found.once:
                    break
        return self._record(found)

    def _again(self, found: law.Outcome) -> bool:
        """Whether a flow was slow that no rail explains which failed by itself."""
        return bool(found.once) or (found.verdict is Verdict.FAIL and not self._explained(found))

    def outcome(self) -> law.Outcome:
        """What all windows say together."""
        shared = self._shared()
        expectation = self.question.claim.expectation
        assert expectation is not None and expectation.floor is not None
        floor = (
            expectation.floor if shared else (expectation.bound or 0.0) * self._payload() * RAIL_GATE_FRACTION
        )
        return law.judge(self.samples, self.leaves, floor, shared=shared, known=self.failed)

    def _payload(self) -> float:
        return self.survey.machine.payload_fraction or 1.0

    def _shared(self) -> bool:
        """Whether flows share uplinks: leaves differ, or nobody knows them."""
        return not self.known_leaves or any(
            self.leaves[s.sender, s.rail] != self.leaves[s.receiver, s.far_rail] for s in self.samples
        )

    def _explained(self, found: law.Outcome) -> bool:
        return bool(found.slow) and all(
            (a, f"rail {rail}") in self.failed or (b, f"rail {far}") in self.failed
            for a, rail, b, far in found.slow
        )

    def _window(self, pairs: Sequence[Pair], turn: int) -> bool:
        """Runs one permutation, longer where its flows did not run side by side; False where that did not help."""
        wanted, dark = lit(self.flows(self.survey, pairs, turn), self.dead)
        self.skipped |= dark
        seconds = self.survey.seconds
        for attempt in range(1, ATTEMPTS + 1 if wanted else 1):
            longer = f", {seconds} s" if seconds > self.survey.seconds else ""
            shown = ", ".join(f"{a} ↔ {b}" for a, b in pairs)
            self.validation.say(f"{self._name}, permutation {turn + 1}{longer}, seed {self.seed}: {shown}")
            name = f"rails/{self._name}-{self.survey.window + 1}.json"
            found, _ = self.survey.measure(wanted, bidirectional=True, name=name, seconds=seconds)
            missing = list(dict.fromkeys(s.reason for s in found if s.gbps is None))
            self.why = "; ".join(missing[:3]) or apart(found, seconds)
            bad = next((s.disturbed for s in found if s.disturbed), "")
            if not self.why:
                self.samples += found
                return True
            seconds = self.survey.longer(seconds)
            if attempt == ATTEMPTS or not self.patience.pause(bad or self.why):
                self.samples += found
                return False
        return True

    def _record(self, found: law.Outcome) -> Judged:
        evidence = self.validation.keep(
            f"rails/{self._name}.json",
            {"seed": self.seed, "samples": [s.model_dump(mode="json") for s in self.samples]},
        )
        detail = {
            "nodes": sorted(self.survey.nodes), "seed": self.seed, "windows": self.survey.window,
            "slow": [list(key) for key in found.slow],
            **({"guilty": [list(end) for end in found.guilty], "confidence": SURENESS} if found.guilty else {}),
        }  # fmt: skip
        record = judged(
            self.question, found.verdict, found.reason, measured=found.measured, evidence=evidence, detail=detail
        ).model_copy(update={"floor": found.floor})  # fmt: skip
        if record.verdict is Verdict.PASS and (self.why or self.skipped):
            return unproven(self.question, self.why or blocked(self.skipped), evidence, detail)
        return self.survey.without(record)


def _pairs(found: law.Outcome) -> list[Pair]:
    """Pairs whose flows were slow, those slow once first."""
    return list(dict.fromkeys((min(a, b), max(a, b)) for a, _, b, _ in [*found.once, *found.slow]))


def by_unit(nodes: Sequence[Node]) -> list[list[str]]:
    """Names by scalable unit."""
    units: dict[int, list[str]] = {}
    for node in nodes:
        units.setdefault(node.scalable_unit, []).append(node.name)
    return list(units.values())


def leaves_of(contract: Contract, nodes: Sequence[Node]) -> tuple[Leaves, bool]:
    """The leaf of each rail of each node, and whether all are known by their names: a provider's are not."""
    found, known = {}, True
    for one in nodes:
        node = contract.node(one.name)
        names: dict[int, str] = {}
        for rail, nic in contract.nics(node):
            names.setdefault(rail.index, nic.switch)
        for rail in node.rails:
            name = names.get(rail.index, "")
            known = known and bool(name)
            found[node.name, rail.index] = law.leaf_name(name, rail.index, node.scalable_unit)
    return found, known
