"""An upgrade over a model of Slurm, of the roles and of the validation: who moves, who is held, where it stops."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.unit.operate.world import NEW, NODES, OLD, World

from railbed import operate
from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.defaults import HEALTHCHECK_PREFIX, OPERATOR_PREFIX, REPAIR_PREFIX, UPGRADE_PREFIX
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.operate import evidence
from railbed.run import Result


def to(of: Contract, work: Workspace, world: World, release: str = NEW, wait_s: float = 60.0) -> Any:
    new = of.model_copy(update={"software": of.software.model_copy(update={"release": release})})
    planned = operate.plan_upgrade(new, work, release, world)  # type: ignore[arg-type]
    return operate.upgrade(new, work, planned, lambda _: None, wait_s=wait_s)


def one_wave(of: Contract, work: Workspace, world: World) -> Any:
    """The first two nodes at once."""
    new = of.model_copy(update={"software": of.software.model_copy(update={"release": NEW})})
    planned = operate.PlannedUpgrade(release=NEW, controllers=[], waves=[NODES[:2]], jobs={}, drained={})
    return operate.upgrade(new, work, planned, lambda _: None, wait_s=60.0)


def test_controllers_then_the_canary_then_the_rest_and_a_certificate(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    done = to(contract, work, world)
    assert [names for what, names in world.order if what == "converge"][:2] == [("ctl0",), ("h100-3",)]
    assert world.order[-1] == ("validate", ()), "the whole cluster at the end"
    assert (done.verdict, done.certificate, sorted(done.moved)) == (Verdict.PASS, "cert", NODES)
    assert (world.drained, world.reserved) == ({}, set())
    assert set(work.releases.read().values()) == {NEW}
    assert to(contract, work, world).moved == [], "again: nobody is drained"


def test_what_only_the_whole_cluster_shows_is_named(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.together = {"h100-0": Verdict.UNPROVEN, "h100-2": Verdict.FAIL}
    done = to(contract, work, world)
    assert (done.verdict, sorted(done.moved)) == (Verdict.FAIL, NODES)
    assert done.open_claims == [
        "node.driver of h100-2 fail: told",
        "node.driver of h100-0 unproven: told",
    ], "failures first"
    world.together = {}
    assert to(contract, work, world).open_claims == []


def test_jobs_end_by_themselves(contract: Contract, work: Workspace, world: World) -> None:
    world.running = {"h100-1": 12}
    done = to(contract, work, world)
    assert done.verdict is Verdict.PASS
    assert world.order[-3] == ("converge", ("h100-1",)), "the busy node comes last"
    waited = [e for e in Journal(work.journal_file).read() if e["event"] == "upgrade-wait"]
    assert waited[0]["jobs"] == ["7 of ada"]


def test_a_job_that_does_not_end_leaves_its_node_draining(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    world.running = {"h100-1": 10**9}
    done = to(contract, work, world, wait_s=0.0)
    assert (done.verdict, done.waiting) == (Verdict.UNPROVEN, {"h100-1": ["7 of ada"]})
    assert world.drained["h100-1"].startswith(UPGRADE_PREFIX)
    assert work.releases.read()["h100-1"] == OLD
    world.running = {}
    assert to(contract, work, world).moved == ["h100-1"], "the same command goes on"


@pytest.mark.parametrize("kind", ["roles", "validation", "unproven"])
def test_the_first_node_that_does_not_pass_stops_it(
    contract: Contract,
    work: Workspace,
    world: World,
    kind: str,
) -> None:
    if kind == "roles":
        world.broken = {"h100-3": "no such package"}
    else:
        world.wrong = {"h100-3": Verdict.FAIL if kind == "validation" else Verdict.UNPROVEN}
    done = to(contract, work, world)
    assert done.verdict is (Verdict.UNPROVEN if kind == "unproven" else Verdict.FAIL)
    assert list(done.failed) == ["h100-3"]
    assert done.left == ["h100-0", "h100-1", "h100-2"]
    assert set(world.drained) == {"h100-3"}, "nobody else is touched"
    assert world.drained["h100-3"].startswith(UPGRADE_PREFIX)
    assert {work.releases.read()[name] for name in done.left} == {OLD}
    world.broken, world.wrong = {}, {}
    assert to(contract, work, world, OLD).moved == ["h100-3"], "back: only what was touched moves"
    assert (world.drained, world.reserved) == ({}, set())


def test_the_rest_of_a_wave_is_given_back_when_one_of_it_fails(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    world.wrong = {"h100-0": Verdict.FAIL}
    world.running = {"h100-1": 4}
    done = one_wave(contract, work, world)
    assert (list(done.failed), done.left) == (["h100-0"], ["h100-1"])
    assert set(world.drained) == {"h100-0"}


def test_a_canary_waits_for_nodes_to_measure_its_rails_with(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.running = {"h100-0": 6, "h100-1": 6}
    assert to(contract, work, world).verdict is Verdict.PASS
    waited = [e for e in Journal(work.journal_file).read() if e["event"] == "upgrade-partners"]
    assert [(e["node"], sorted(e["jobs"])) for e in waited] == [("h100-3", ["h100-0", "h100-1"])]


def test_a_persons_drain_stays(contract: Contract, work: Workspace, world: World) -> None:
    world.drained = {"h100-2": f"{OPERATOR_PREFIX} fan"}
    done = to(contract, work, world)
    assert done.kept_drained == {"h100-2": f"{OPERATOR_PREFIX} fan"}
    assert world.drained == {"h100-2": f"{OPERATOR_PREFIX} fan"}
    assert work.releases.read()["h100-2"] == NEW
    assert "h100-2" not in done.moved


def test_a_persons_drain_keeps_its_reason_where_the_node_fails(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {"h100-2": f"{OPERATOR_PREFIX} fan"}
    world.broken = {"h100-2": "no such package"}
    done = to(contract, work, world)
    assert list(done.failed) == ["h100-2"]
    assert world.drained["h100-2"] == f"{OPERATOR_PREFIX} fan", "else the next try would take it back"


@pytest.mark.parametrize("moment", ["wait", "converge"])
def test_a_drain_that_a_person_sets_meanwhile_stays(
    contract: Contract, work: Workspace, world: World, moment: str
) -> None:
    world.running = {"h100-1": 4}
    world.meanwhile = {moment: {"h100-1": "fan, ada"}}
    done = one_wave(contract, work, world)
    assert world.drained == {"h100-1": "fan, ada"}
    assert (done.kept_drained, done.failed) == ({"h100-1": "fan, ada"}, {})
    assert work.releases.read()["h100-1"] == NEW
    assert ("validate", ("h100-1",)) not in world.order, "nobody can run a step on it"
    kept = [e["node"] for e in Journal(work.journal_file).read() if e["event"] == "upgrade-kept"]
    assert kept == ["h100-1"]


def test_a_node_that_a_person_drains_while_it_is_validated_is_told_so(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.meanwhile = {"validate": {"h100-1": "fan, ada"}}
    done = one_wave(contract, work, world)
    assert world.drained == done.kept_drained == {"h100-1": "fan, ada"}
    assert done.moved == ["h100-0", "h100-1"], "it passed nevertheless"


@pytest.mark.parametrize("moment", ["evidence", "converge", "validate"])
def test_a_failure_does_not_write_over_what_a_person_wrote_meanwhile(
    contract: Contract, work: Workspace, world: World, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.meanwhile = {moment: {"h100-0": "fan, ada"}}
    if moment == "evidence":

        def silent(_remote: Remote, name: str, *_: Any, **__: Any) -> Result:
            world.moment("evidence", [name])
            return Result((), 255, "", "timed out")

        monkeypatch.setattr(Remote, "run", silent)
    elif moment == "converge":
        world.broken = {"h100-0": "no such package"}
    else:
        world.wrong = {"h100-0": Verdict.FAIL}
    done = one_wave(contract, work, world)
    assert "h100-0" in done.failed
    assert world.drained["h100-0"] == "fan, ada"


@pytest.mark.parametrize(
    "reason",
    [f"{HEALTHCHECK_PREFIX} GPU 3 lost", f"{REPAIR_PREFIX} gpu.count FAIL", f"{UPGRADE_PREFIX} before"],
)
def test_a_drain_from_before_stays_when_another_node_of_the_wave_fails(
    contract: Contract, work: Workspace, world: World, reason: str
) -> None:
    world.drained = {"h100-1": reason}
    world.running = {"h100-1": 4}
    world.wrong = {"h100-0": Verdict.FAIL}
    done = one_wave(contract, work, world)
    assert (list(done.failed), done.left) == (["h100-0"], ["h100-1"])
    assert world.drained["h100-1"] == reason, "what it was drained for is still so"


def test_a_node_that_the_health_check_drained_is_given_back_when_it_passed(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {"h100-1": f"{HEALTHCHECK_PREFIX} GPU 3 lost"}
    done = one_wave(contract, work, world)
    assert (done.moved, world.drained) == (["h100-0", "h100-1"], {})


def test_a_persons_drain_meanwhile_stays_when_another_node_of_the_wave_fails(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.running = {"h100-1": 4}
    world.wrong = {"h100-0": Verdict.FAIL}
    world.meanwhile = {"wait": {"h100-1": "fan, ada"}}
    done = one_wave(contract, work, world)
    assert (list(done.failed), done.left) == (["h100-0"], ["h100-1"])
    assert world.drained["h100-1"] == "fan, ada"


def test_a_controller_that_does_not_take_it_leaves_every_node_alone(
    contract: Contract,
    work: Workspace,
    world: World,
) -> None:
    world.broken = {"ctl0": "repository down"}
    with pytest.raises(CommandError, match="repository down"):
        to(contract, work, world)
    assert (world.drained, world.reserved) == ({}, set())


def test_evidence_of_a_wave_is_saved_at_once_and_silence_is_one_node_s(
    contract: Contract, work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, said = threading.Barrier(2, timeout=20), []

    def run(_remote: Remote, name: str, *_: Any, **__: Any) -> Result:
        both.wait()
        return Result((), 0, f"I am {name}", "") if name == "h100-1" else Result((), 255, "", "timed out")

    monkeypatch.setattr(Remote, "run", run)
    steps = {name: lambda event, text, name=name, **_: said.append((name, event)) for name in NODES[:2]}
    silent = evidence.save(Remote(work, contract), work, steps)  # type: ignore[arg-type]
    assert list(silent) == ["h100-0"] and silent["h100-0"].code == "UNREACHABLE"
    assert said == [("h100-1", "evidence")]
    kept = {path.name.split("-2")[0]: path.read_text() for path in (work.archive / "evidence").iterdir()}
    assert kept == {"h100-0": "timed out", "h100-1": "I am h100-1"}


def test_a_silent_node_is_neither_changed_nor_given_back(
    contract: Contract,
    work: Workspace,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Remote, "run", lambda *_, **__: Result((), 255, "", "timed out"))
    done = to(contract, work, world)
    assert done.verdict is Verdict.UNPROVEN
    assert "does not answer" in done.failed["h100-3"]
    assert [what for what, names in world.order if "h100-3" in names] == []
    assert UPGRADE_PREFIX in world.drained["h100-3"]


def test_a_wave_beyond_the_limit_is_not_drained_and_the_same_command_goes_on(
    contract: Contract, work: Workspace, world: World
) -> None:
    world.drained = {"h100-0": f"{HEALTHCHECK_PREFIX} GPU 3 lost"}
    done = to(contract, work, world)
    assert done.verdict is Verdict.UNPROVEN and "automatic drains hold 1 of 4 nodes" in done.limited
    assert list(world.drained) == ["h100-0"] and done.moved == []
    world.drained = {}
    assert to(contract, work, world).verdict is Verdict.PASS


def test_the_health_check_does_not_give_back_a_node_that_waits_for_its_turn(
    contract: Contract, work: Workspace, world: World
) -> None:
    seen: list[str] = []
    world.drained = {"h100-1": f"{HEALTHCHECK_PREFIX} GPU 3 lost"}
    world.moment = lambda what, _: what == "converge" and seen.append(world.drained["h100-1"])  # type: ignore[method-assign]
    one_wave(contract, work, world)
    assert seen[0].startswith(UPGRADE_PREFIX)
