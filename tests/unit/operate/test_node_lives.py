"""Random lives of one node, through the real repair, settlement and health reports over a model of Slurm: what railbed says of
the node is where the transitions lead, and the laws hold after every step."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.operate.world import NODES, Killed, installed
from tests.unit.validate.conftest import make_contract

from railbed.claims import Verdict
from railbed.configure import releases
from railbed.contract import Contract, Identity
from railbed.defaults import HEALTH_REPORT_PREFIX, HEALTHCHECK_PREFIX
from railbed.effects import acceptance
from railbed.effects.journal import Journal
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.operate import picture, repair, settle, standing
from railbed.operate.lifecycle import Event, Place, Refused, State, transition
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose

NODE = "h100-1"
E = Event
OBSERVED = ([], [E.HELD], [E.DRAINED], [E.DRAINED, E.STARTED], [E.QUARANTINED], [E.REPORTED])


class Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.patch, self.folder = pytest.MonkeyPatch(), Path(tempfile.mkdtemp())
        self.world = installed(self.patch)
        self.contract: Contract = make_contract()
        self.work = Workspace(self.folder, "test")
        self.work.dir.mkdir(parents=True)
        releases.record(self.work, ["ctl0", *NODES], self.contract.software.release)
        self.work.accepted.write({node.name: node.identity.value for node in self.contract.nodes})
        self.person, self.machines = "", 0
        self.journal = Journal(self.work.journal_file)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()
            shutil.rmtree(self.folder)

    @property
    def place(self) -> Place:
        seen = picture.take(self.contract, self.work, self.world)  # type: ignore[arg-type]
        return standing.of(self.contract.node(NODE), seen).place

    def moved(self, before: Place, *paths: list[Event]) -> None:
        """One of ``ways`` leads from ``before`` to what is said now."""
        if before.state is State.RMA and not any(E.GIVEN_BACK in way for way in paths):
            assert self.place == before, "whatever happens to a machine that is away"
            return
        ends = []
        for way in paths:
            place = before
            try:
                for event in way:
                    place = transition(place, event)
            except Refused:
                continue
            ends.append(place)
        assert self.place in ends, (before, ends)

    @rule()
    def health_check_drains(self) -> None:
        before = self.place
        if NODE not in self.world.drained and NODE not in self.world.silent:
            self.world.drained[NODE] = f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8"
            self.moved(before, [E.DRAINED])

    @rule()
    def health_check_gives_back(self) -> None:
        before = self.place
        if self.world.drained.get(NODE, "").startswith(HEALTHCHECK_PREFIX) and NODE not in self.world.silent:
            del self.world.drained[NODE]
            self.moved(before, *([E.RETURNED, *way] for way in OBSERVED))

    @rule()
    def person_drains(self) -> None:
        before = self.place
        self.world.drained[NODE] = self.person = "fan, ada"
        self.moved(before, [E.HELD])

    @rule()
    def person_gives_back(self) -> None:
        before = self.place
        try:
            transition(before, E.GIVEN_BACK)
        except Refused:
            return
        if before.state is State.RMA:
            acceptance.hold(self.world, [NODE])  # type: ignore[arg-type]
        self.world.drained.pop(NODE, None)
        self.journal.write("resume", node=NODE)
        self.person = ""
        if NODE not in self.world.silent:
            self.moved(before, *([E.GIVEN_BACK, *way] for way in OBSERVED))

    @rule(reported=st.booleans())
    def health_check_reports(self, reported: bool) -> None:
        before = self.place
        symptom = Symptom("filesystem-silent", "/scratch", "no answer")
        self.world.comments = {NODE: compose([symptom], HEALTH_REPORT_PREFIX)} if reported else {}
        self.moved(before, [], [E.REPORTED], [E.CLEARED])

    @rule()
    def falls_silent(self) -> None:
        before = self.place
        self.world.silent = {NODE}
        self.moved(before, [E.SILENT])

    @precondition(lambda self: self.world.silent)
    @rule()
    def answers(self) -> None:
        before = self.place
        self.world.silent = set()
        self.moved(before, *([E.ANSWERED, *way] for way in OBSERVED), *OBSERVED)

    @rule(
        verdict=st.sampled_from(list(Verdict)),
        ends=st.sampled_from(["", "roles break", "converge", "validate"]),
    )
    def repair(self, verdict: Verdict, ends: str) -> None:
        before, taken = self.place, self.person
        self.world.wrong = {NODE: verdict}
        self.world.broken = {NODE: "no headers"} if ends == "roles break" else {}
        self.world.killed = ends
        try:
            repair.repair(self.contract, self.work, NODE, lambda _: None, force="for the test")
            ended = [E.PASSED] if verdict is Verdict.PASS else [E.FAILED]
        except Refused:
            assert before.state is State.RMA
            return
        except (RailbedError, Killed):
            ended = []
        finally:
            self.world.killed, self.world.wrong, self.world.broken = "", {}, {}
        if self.world.silent:
            return
        begun = [E.DRAINED, E.STARTED]
        self.moved(
            before,
            [*begun, E.CHANGED, *ended],
            [*begun, E.CHANGED, *ended, E.REPORTED],
            begun,
            [*begun, E.BROKE],
        )
        assert self.person == taken

    @rule(
        verdict=st.sampled_from(list(Verdict)), hidden=st.booleans(), killed=st.sampled_from(["", "validate"])
    )
    def settle(self, verdict: Verdict, hidden: bool, killed: str) -> None:
        before = self.place
        self.world.wrong, self.world.killed = {NODE: verdict}, killed
        self.world.slow_to_see = {NODE} if hidden else set()
        try:
            settle.settle(self.contract, self.work, lambda _: None)
        except Killed:
            assert self.place.state not in (State.HEALTHY, State.SUSPECT)
            return
        finally:
            self.world.wrong, self.world.killed, self.world.slow_to_see = {}, "", set()
        tried = [E.TRIED, E.PASSED] if verdict is Verdict.PASS else [E.TRIED, E.FAILED]
        self.moved(before, [], tried, [*tried, E.REPORTED])

    @rule()
    def drift_holds(self) -> None:
        before = self.place
        if before.state in (State.HEALTHY, State.SUSPECT):
            self.journal.write("drift-hold", nodes=[NODE])
            acceptance.hold(self.world, [NODE])  # type: ignore[arg-type]
            acceptance.revoke(self.work, [NODE])
            self.moved(before, [E.QUARANTINED])

    @rule()
    def goes_to_its_vendor(self) -> None:
        before = self.place
        if before.state not in (State.QUARANTINED, State.MAINTENANCE):
            return
        identity = self.contract.node(NODE).identity.value
        self.journal.write("rma", node=NODE, identity=identity, reason="row remap failed")
        acceptance.revoke(self.work, [NODE])
        acceptance.hold(self.world, [NODE])  # type: ignore[arg-type]
        self.moved(before, [E.RETIRED])

    @rule()
    def another_machine_takes_its_name(self) -> None:
        if self.place.state is not State.RMA:
            return
        self.machines += 1
        fresh = Identity(kind="machine_id", value=f"machine-{self.machines}")
        nodes = [
            n.model_copy(update={"identity": fresh}) if n.name == NODE else n for n in self.contract.nodes
        ]
        self.contract = self.contract.model_copy(update={"nodes": nodes})
        acceptance.hold(self.world, [NODE])  # type: ignore[arg-type]
        assert self.place.state not in (State.HEALTHY, State.SUSPECT)

    @invariant()
    def what_takes_jobs_is_proven(self) -> None:
        if not hasattr(self, "world"):
            return
        place = self.place
        if place.state in (State.HEALTHY, State.SUSPECT):
            assert place.proven and NODE not in self.world.reserved | self.world.silent | set(
                self.world.drained
            )
            assert acceptance.is_accepted(self.contract.node(NODE), acceptance.record(self.work))

    @invariant()
    def a_person_s_drain_stays(self) -> None:
        if hasattr(self, "world") and self.person:
            assert self.world.drained[NODE] == self.person


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestLives: Any = Life.TestCase
