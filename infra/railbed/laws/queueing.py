"""How long jobs wait for one of several equal slots: the queue M/M/c.

Jobs arrive at random (Poisson), their lengths are exponential, whoever came first starts first. Real lengths differ more or less
than that, and people submit in bursts: the waits are of the right size, not exact. Formulas: I. Adan, J. Resing, "Queueing
Systems" (https://www.win.tue.nl/~iadan/queueing.pdf), chapter 5: Erlang B by its recursion, Erlang C from it, the distribution of
the wait; A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917.
"""

from __future__ import annotations

import math

from railbed.claims import FrozenModel


class Queue(FrozenModel):
    """What a load comes to."""

    slots: int
    """Jobs that run at once."""
    load: float
    """Jobs that would run on average if none waited: arrivals in the length of a job (erlang)."""
    stable: bool
    """False: more arrives than can run, and the queue grows without end."""
    wait_chance: float
    """Probability that a job waits at all, 0 to 1."""
    mean_wait_hours: float | None
    """Of all jobs; None where the queue is not stable."""
    wait_95_hours: float | None
    """95 of 100 jobs wait no longer; None as above."""

    @property
    def utilisation(self) -> float:
        """Share of the slots that the load asks for; above 1 it is not had."""
        return self.load / self.slots


def erlang_b(slots: int, load: float) -> float:
    """Probability that all ``slots`` are taken where nobody waits; ``load`` a in erlang. B(0) = 1,
    B(c) = a·B(c-1)/(c + a·B(c-1))."""
    blocked = 1.0
    for number in range(1, slots + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(slots: int, load: float) -> float:
    """Probability that a job waits: C = B/(1 - ρ·(1 - B)) with ρ = load/slots; 1 from ρ = 1 on."""
    share = load / slots
    if share >= 1:
        return 1.0
    blocked = erlang_b(slots, load)
    return blocked / (1 - share * (1 - blocked))


def queue(slots: int, per_hour: float, hours: float) -> Queue:
    """Jobs that arrive ``per_hour`` and take ``hours`` on average, for ``slots`` that each runs one.

    Mean wait C·hours/(slots - load); P(wait > t) = C·exp(-(slots - load)·t/hours).
    """
    load = per_hour * hours
    chance, free = erlang_c(slots, load), slots - load
    stable = free > 0
    late = math.log(chance / 0.05) if chance > 0.05 else 0.0
    return Queue(
        slots=slots,
        load=load,
        stable=stable,
        wait_chance=chance,
        mean_wait_hours=chance * hours / free if stable else None,
        wait_95_hours=late * hours / free if stable else None,
    )


def slots(nodes: int, gpus_per_node: int, gpus_per_job: int) -> int:
    """Jobs that run at once on equal nodes. A job that fits a node is never split over two; a larger one takes whole nodes."""
    if gpus_per_job <= gpus_per_node:
        return nodes * (gpus_per_node // gpus_per_job)
    return nodes // nodes_per_job(gpus_per_node, gpus_per_job)


def nodes_per_job(gpus_per_node: int, gpus_per_job: int) -> int:
    """Nodes of one job."""
    return -(-gpus_per_job // gpus_per_node)
