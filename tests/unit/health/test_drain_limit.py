"""The limit on automatic drains: never more than it allows, whatever the order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.unit.health.fleet import LOST, SETTINGS, Node, Runs, clock, fleet

from railbed.defaults import OPERATOR_PREFIX, REPAIR_PREFIX, UPGRADE_PREFIX
from railbed.laws.drain_limit import Out, before, crowded, most, refusal
from railbed.validate.node.drains import Memory

LIMIT = SETTINGS.limit
HOUR_S = LIMIT.window_s


def out(count: int, since_s: float = 0.0, *, by_itself: bool = True) -> list[Out]:
    return [Out(f"n{i}", since_s, by_itself) for i in range(count)]


@pytest.mark.parametrize(
    ("share", "pool", "least", "nodes"),
    [(0.02, 5, 1, 1), (0.02, 50, 1, 1), (0.02, 51, 1, 2), (0.02, 512, 1, 11), (0.1, 5, 2, 2), (0.07, 100, 1, 7), (0.25, 8, 1, 2)],
)  # fmt: skip
def test_a_share_is_rounded_up_to_whole_nodes(share: float, pool: int, least: int, nodes: int) -> None:
    assert most(share, pool, least) == nodes


def test_the_window_forgets_and_the_breaker_does_not() -> None:
    now = 10 * HOUR_S
    assert refusal([], 64, LIMIT, now) == ""
    assert "within 60 min" in refusal(out(2, now - 60), 64, LIMIT, now)
    assert refusal(out(2, now - HOUR_S), 64, LIMIT, now) == ""
    assert "circuit breaker" in refusal(out(7, 0.0), 64, LIMIT, now)


def test_what_repairs_and_upgrades_hold_counts_in_all() -> None:
    assert refusal(out(15, by_itself=False), 64, LIMIT, HOUR_S) == ""
    assert "may hold 16" in refusal(out(16, by_itself=False), 64, LIMIT, HOUR_S)
    assert crowded([], 4, 0.25, wanted=18) == "", "one unit may go where nothing is out"
    assert crowded(out(1), 4, 0.25) != ""


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdef")), unique_by=lambda pair: pair[1]))
def test_the_order_of_drains_is_total(pairs: list[tuple[int, str]]) -> None:
    known = [Out(name, float(at), True) for at, name in pairs]
    assert sorted(len(before(one, known)) for one in known) == list(range(len(known)))


def settled(nodes: dict[str, Node]) -> list[str]:
    return [name for name, node in nodes.items() if node.memory.drained and not node.memory.settling]


@hypothesis_settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_order_of_events_takes_more_than_the_limit(data: st.DataObject) -> None:
    """Runs in any interleaving, some ended half-way, some while the scheduler is silent; people and repairs in between."""
    size = data.draw(st.integers(1, 7), "size")
    slurm, nodes = fleet(size)
    allowed = most(LIMIT.window_share, size)
    with clock(slurm):
        runs = Runs(slurm)
        for node in nodes.values():
            runs.start(node, LOST)
        while runs.wake_s:
            event = data.draw(
                st.sampled_from(["step"] * 8 + ["kill", "silent", "deaf", "person", "time"]), "event"
            )
            name = data.draw(st.sampled_from(sorted(runs.wake_s)), "who")
            if event == "person":
                slurm.drain(name, f"{OPERATOR_PREFIX} disk")
            elif event == "time":
                slurm.now_s += data.draw(st.sampled_from([0.3, 1.0, 5.0]), "seconds")
            elif event in ("silent", "deaf"):
                setattr(slurm, event, not getattr(slurm, event))
            else:
                runs.turn(name, kill=event == "kill")
            assert len(set(settled(nodes)) & set(slurm.by_itself())) <= allowed
        slurm.silent = slurm.deaf = False
        # Whatever was left half done, the next run of each node settles it.
        again = Runs(slurm)
        for name in data.draw(st.permutations(sorted(nodes)), "order"):
            again.start(nodes[name], LOST)
            again.finish()
        assert len(slurm.by_itself()) <= allowed
        persons = [reason for reason, _ in slurm.reasons.values() if reason.startswith(OPERATOR_PREFIX)]
        assert slurm.by_itself() or len(persons) == size, "and the limit does not hold back the first"


def test_all_at_once_leaves_as_many_as_the_limit_allows() -> None:
    slurm, nodes = fleet(101)
    with clock(slurm):
        runs = Runs(slurm)
        for node in nodes.values():
            runs.start(node, LOST)
        for _ in range(4):  # every node has checked before anybody drains
            for name in list(nodes):
                runs.turn(name)
        for name in list(nodes):
            runs.turn(name)
        assert len(slurm.by_itself()) == 101, "for the moment of the race"
        runs.finish()
    assert len(slurm.by_itself()) == most(LIMIT.window_share, 101) == 3
    assert set(settled(nodes)) == set(slurm.by_itself())


def test_who_is_refused_says_so() -> None:
    slurm, nodes = fleet(8)
    slurm.drain("h100-0", f"{SETTINGS.mark} nic-down: rail3 is down")
    with clock(slurm):
        (symptom,) = nodes["h100-1"].run_check(LOST)
        assert symptom.code == "not-drained" and "gpu-lost" in symptom.text and "1 of 8 nodes" in symptom.text
        assert list(slurm.reasons) == ["h100-0"]
        slurm.now_s += HOUR_S
        assert nodes["h100-1"].run_check(LOST) == []
        slurm.now_s += HOUR_S
        (symptom,) = nodes["h100-2"].run_check(LOST)
    assert "circuit breaker" in symptom.text


def test_pools_do_not_share_a_limit() -> None:
    slurm, nodes = fleet(4)
    slurm.pools["h200-0"] = "h200"
    slurm.drain("h200-0", f"{SETTINGS.mark} nic-down: rail3 is down")
    with clock(slurm):
        assert nodes["h100-1"].run_check(LOST) == []
    assert "h100-1" in slurm.reasons


@pytest.mark.parametrize("prefix", [REPAIR_PREFIX, UPGRADE_PREFIX])
def test_other_automatic_drains_count_and_a_persons_do_not(prefix: str) -> None:
    slurm, nodes = fleet(8)
    for name in ("h100-0", "h100-1", "h100-2"):
        slurm.drain(name, f"{OPERATOR_PREFIX} disk")
    with clock(slurm):
        assert nodes["h100-7"].run_check(LOST) == []
        assert "h100-7" in slurm.reasons
        del slurm.reasons["h100-7"]
        slurm.drain("h100-0", f"{prefix} x")
        slurm.drain("h100-1", f"{prefix} x")
        nodes["h100-7"].memory = Memory(slurm.now_s - SETTINGS.confirm_s, 0, False)
        (symptom,) = nodes["h100-7"].run_check(LOST)
    assert "automatic drains hold 2 of 8" in symptom.text
