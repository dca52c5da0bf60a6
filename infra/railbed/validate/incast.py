"""The claim ``fabric.incast``: several senders into one rail of each receiver, with what ports lose and pause meanwhile."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from secrets import randbelow

from railbed.claims import Judged, Verdict
from railbed.claims.fabric import INCAST_NODES
from railbed.judge import incast as law
from railbed.judge.rails import RailSample
from railbed.parse import loss_counters as parse
from railbed.validate.answers import disturbed, judged, unproven
from railbed.validate.conditions import words
from railbed.validate.crossing import SEEDS, SURENESS
from railbed.validate.patience import Patience
from railbed.validate.permutations import stars
from railbed.validate.scope import Question
from railbed.validate.survey import Survey, able, apart, blocked, enough, lit, rails_at_fault
from railbed.validate.validation_run import ValidationRun

CLAIM = "fabric.incast"
ATTEMPTS = 4
READ_S = 20.0


def run(validation: ValidationRun) -> None:
    """Measures what is asked. Nodes with a job on them are left alone."""
    if not validation.scope.asks(CLAIM):
        return
    free = able(validation, CLAIM)
    question = validation.scope.get(CLAIM)[0]
    if not enough(validation, CLAIM, free, INCAST_NODES):
        return
    if question.claim.expectation is None or question.claim.expectation.floor is None:
        validation.answers.why(CLAIM, "nothing says what it must reach")
    else:
        validation.answers.add(_Incast(validation, question, Survey(validation, free)).measured())


class _Incast:
    """The windows of one run."""

    def __init__(self, validation: ValidationRun, question: Question, survey: Survey) -> None:
        self.validation, self.question, self.survey = validation, question, survey
        self.seed = randbelow(SEEDS)
        self.dead, self.failed = rails_at_fault(validation)
        nodes = survey.nodes.values()
        self.transport = survey.machine.transport
        self.rails = sorted(set.intersection(*({rail.index for rail in node.rails} for node in nodes)))
        self.cards, self.before = _cards(survey), _read(survey)
        self.samples: list[RailSample] = []
        self.skipped: set[tuple[str, int]] = set()
        self.why, self.bad = "", ""
        """Why the last window is no measurement, and what was wrong with its conditions."""

    def measured(self) -> Judged:
        """The verdict. What is low is low again: into the same receivers, then into others of the same rail."""
        patience, lows, seconds = Patience(self.validation.say), 0, self.survey.seconds
        for attempt in range(1, ATTEMPTS + 1):
            outcome = self._window(attempt, max(0, lows - 1), seconds)
            if outcome.verdict is Verdict.PASS and not self.why:
                break
            if outcome.verdict is Verdict.FAIL and not self.why:
                lows += 1
                # A rail that failed by itself explains it.
                if lows > 2 or set(outcome.guilty) <= self.failed:
                    break
            else:
                seconds = self.survey.longer(seconds)
            if self.bad and not patience.pause(self.bad):
                break
        return self._record(outcome)

    def _window(self, attempt: int, turn: int, seconds: int) -> law.Outcome:
        wanted, dark = lit(stars(list(self.survey.nodes), self.rails, turn, self.seed), self.dead)
        self.skipped |= dark
        into = len({(flow.receiver, flow.rail) for flow in wanted})
        again = f", once more, {seconds} s" if attempt > 1 else ""
        self.validation.say(f"incast, {len(wanted)} flows into {into} rails, seed {self.seed}{again}")
        name = f"rails/incast-{attempt}.json"
        found, seen = self.survey.measure(wanted, bidirectional=False, name=name, seconds=seconds)
        self.why, self.bad = apart(found, seconds), words(seen.problems())
        self.samples += [] if self.why else found
        reach, counted = self.question.claim.expectation, _risen(self.before, _read(self.survey))
        assert reach is not None and reach.floor is not None
        return law.judge(self.samples, reach.floor, reach.bound, self.transport, counted, self.cards)

    def _record(self, found: law.Outcome) -> Judged:
        evidence = self.validation.keep(
            "rails/incast.json",
            {
                "seed": self.seed,
                "rises": found.rises,
                "samples": [s.model_dump(mode="json") for s in self.samples],
            },
        )
        detail = {
            "nodes": sorted(self.survey.nodes), "seed": self.seed, "rises": found.rises,
            "gbps": {f"{node} {rail}": gbps for (node, rail), gbps in found.sums.items()},
            **({"guilty": [list(end) for end in found.guilty], "confidence": SURENESS} if found.guilty else {}),
        }  # fmt: skip
        if found.verdict is not Verdict.FAIL and (self.why or self.skipped):
            return unproven(self.question, self.why or blocked(self.skipped), evidence, detail)
        record = self.survey.without(
            judged(self.question, found.verdict, found.reason, measured=found.measured, evidence=evidence, detail=detail)
        )  # fmt: skip
        return record if self.failed or found.lost else disturbed(record, self.bad)


def _cards(survey: Survey) -> dict[tuple[str, str], str]:
    """Node and device or interface → its rail."""
    contract = survey.validation.as_observed
    return {
        (name, part): f"rail {rail.index}"
        for name in survey.nodes
        for rail, nic in contract.nics(contract.node(name))
        for part in (nic.device, nic.netdev)
        if part
    }


def _read(survey: Survey) -> Mapping[str, parse.Counts]:
    """Node → counters of its rails' ports; none where it has none, or did not answer."""
    remote, contract = survey.validation.remote, survey.validation.as_observed

    def ask(name: str) -> parse.Counts:
        node = contract.node(name)
        transport = contract.machine(node.machine).transport
        nics = [nic for _, nic in contract.nics(node)]
        paths = [
            f"/sys/class/infiniband/{nic.device}/ports/1/{folder}"
            for nic in nics
            if nic.device and transport != "tcp"
            for folder in ("counters", "hw_counters")
        ]
        netdevs = [nic.netdev for nic in nics if nic.netdev] if transport == "roce" else []
        if not paths:
            return {}
        found = remote.run(name, _command(paths, netdevs), timeout_s=READ_S, check=False)
        return parse.read(found.stdout)

    return remote.each(list(survey.nodes), ask)


def _command(folders: list[str], netdevs: list[str]) -> str:
    """Files below folders that a card does not have are left out (grep(1), -s); so are interfaces that say nothing."""
    lines = [f"grep -rsH '' {' '.join(map(shlex.quote, folders))}"]
    lines += [
        f"echo '=== {one}'; PATH=$PATH:/usr/sbin:/sbin ethtool -S {shlex.quote(one)} 2>&1" for one in netdevs
    ]
    return "; ".join(lines)


def _risen(
    before: Mapping[str, parse.Counts], after: Mapping[str, parse.Counts]
) -> dict[str, dict[tuple[str, str], int]]:
    return {name: law.rises(before[name], after[name]) for name in before}
