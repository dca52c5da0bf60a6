"""What every scheduler of railbed does alike (``effects/schedulers.NodeScheduler``): one suite, for Slurm and Kubernetes."""

from __future__ import annotations

from typing import Protocol

from railbed.defaults import ACCEPTANCE_RESERVATION, OPERATOR_PREFIX, PARTITION
from railbed.effects.schedulers import NodeScheduler

REASON = f"{OPERATOR_PREFIX} fan of GPU 3"


class Bench(Protocol):
    """A cluster of two nodes or more with 8 GPUs each, idle, and what people do to it past railbed."""

    @property
    def scheduler(self) -> NodeScheduler: ...

    @property
    def names(self) -> list[str]: ...

    def start_job(self, node: str) -> None:
        """A job of somebody's that holds all GPUs of the node, and runs."""

    def end_jobs(self) -> None: ...

    def person_drains(self, node: str) -> None:
        """By the scheduler's own program."""


def all_nodes_are_known_idle_and_offer_their_gpus(bench: Bench) -> None:
    states = bench.scheduler.nodes()
    assert set(bench.names) <= set(states)
    for name in bench.names:
        one = states[name]
        assert (one.gpus, one.usable, one.drained, one.responding) == (8, True, False, True)
        assert PARTITION in one.partitions
    assert bench.scheduler.jobs() == []


def a_drain_takes_no_job_away_and_says_why(bench: Bench) -> None:
    node = bench.names[0]
    bench.start_job(node)
    bench.scheduler.drain(node, REASON)
    state = bench.scheduler.nodes()[node]
    assert (state.drained, state.usable, state.reason) == (True, False, REASON)
    (job,) = bench.scheduler.jobs(node)
    assert job.nodes == (node,) and job.state == "RUNNING"
    assert [one.id for one in bench.scheduler.jobs()] == [job.id]
    assert bench.scheduler.jobs(bench.names[1]) == []


def a_second_drain_has_the_newer_reason(bench: Bench) -> None:
    node = bench.names[0]
    bench.scheduler.drain(node, "first")
    bench.scheduler.drain(node, REASON)
    assert bench.scheduler.nodes()[node].reason == REASON


def a_node_is_given_back(bench: Bench) -> None:
    node = bench.names[0]
    bench.scheduler.drain(node, REASON)
    assert bench.scheduler.resume(node)
    state = bench.scheduler.nodes()[node]
    assert not state.drained and state.usable
    assert bench.scheduler.resume(node), "one that is not drained stays as it is"


def a_drain_that_is_anothers_by_now_is_not_taken_back(bench: Bench) -> None:
    node = bench.names[0]
    bench.scheduler.drain(node, REASON)
    assert not bench.scheduler.resume(node, "what railbed said")
    assert bench.scheduler.nodes()[node].reason == REASON
    assert bench.scheduler.resume(node, REASON)
    assert not bench.scheduler.nodes()[node].drained


def what_a_person_drains_is_seen_and_is_nobodys_of_railbed(bench: Bench) -> None:
    node = bench.names[1]
    bench.person_drains(node)
    state = bench.scheduler.nodes()[node]
    assert state.drained and not state.reason.startswith("[railbed")
    assert not bench.scheduler.resume(node, REASON)
    assert bench.scheduler.nodes()[node].drained


def nodes_are_held_and_let_go_one_by_one(bench: Bench) -> None:
    one, two = bench.names[:2]
    assert bench.scheduler.reservation() is None
    bench.scheduler.reserve([one])
    bench.scheduler.reserve([two, one])
    reservation = bench.scheduler.reservation()
    assert (
        reservation is not None
        and set(reservation.nodes) == {one, two}
        and reservation.name == ACCEPTANCE_RESERVATION
    )
    bench.scheduler.release([one])
    reservation = bench.scheduler.reservation()
    assert reservation is not None and reservation.nodes == (two,)
    bench.scheduler.release([one, two])
    assert bench.scheduler.reservations() == []


def a_hold_takes_no_job_away_and_is_no_drain(bench: Bench) -> None:
    node = bench.names[0]
    bench.start_job(node)
    bench.scheduler.reserve([node])
    assert [one.nodes for one in bench.scheduler.jobs(node)] == [(node,)]
    assert not bench.scheduler.nodes()[node].drained
    bench.scheduler.drain(node, REASON)
    assert bench.scheduler.resume(node)
    reservation = bench.scheduler.reservation()
    assert reservation is not None and reservation.nodes == (node,), (
        "the end of a drain is not the end of a hold"
    )


CHECKS = [
    all_nodes_are_known_idle_and_offer_their_gpus,
    a_drain_takes_no_job_away_and_says_why,
    a_second_drain_has_the_newer_reason,
    a_node_is_given_back,
    a_drain_that_is_anothers_by_now_is_not_taken_back,
    what_a_person_drains_is_seen_and_is_nobodys_of_railbed,
    nodes_are_held_and_let_go_one_by_one,
    a_hold_takes_no_job_away_and_is_no_drain,
]
