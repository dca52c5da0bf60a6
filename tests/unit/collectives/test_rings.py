"""The rings move exactly what they must, and leave exactly what they must: over a network of queues, without torch."""

from __future__ import annotations

import itertools
import queue
import random
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from railbed.judge import transport

BYTES = 4


class Flat:
    """As much of a flat tensor as the rings use: a window on a list."""

    def __init__(self, data: list[float], start: int, end: int) -> None:
        self.data, self.start, self.end = data, start, end

    def numel(self) -> int:
        return self.end - self.start

    def element_size(self) -> int:
        return BYTES

    def tensor_split(self, count: int) -> list[Flat]:
        base, more = divmod(self.numel(), count)
        cuts = [self.start + i * base + min(i, more) for i in range(count + 1)]
        return [Flat(self.data, a, b) for a, b in itertools.pairwise(cuts)]

    def values(self) -> list[float]:
        return self.data[self.start : self.end]

    def copy_(self, other: Flat) -> None:
        self.data[self.start : self.end] = other.values()

    def add_(self, other: Flat) -> None:
        self.data[self.start : self.end] = [a + b for a, b in zip(self.values(), other.values(), strict=True)]


class Pending:
    def __init__(self, wires: Wires, key: tuple[int, int, int], tensor: Flat | None = None) -> None:
        self.wires, self.key, self.tensor = wires, key, tensor

    def wait(self) -> bool:
        if self.tensor is not None:
            arrived = self.wires.queue(self.key).get(timeout=5)
            assert len(arrived) == self.tensor.numel()
            self.tensor.data[self.tensor.start : self.tensor.end] = arrived
        return True


class Wires:
    """All ranks' wires: one queue per sender, receiver and tag; a message leaves with the values of its sending."""

    def __init__(self) -> None:
        self.queues: dict[tuple[int, int, int], queue.Queue[list[float]]] = {}

    def queue(self, key: tuple[int, int, int]) -> queue.Queue[list[float]]:
        return self.queues.setdefault(key, queue.Queue())


class Group:
    def __init__(self, wires: Wires, rank: int) -> None:
        self.wires, self.rank = wires, rank

    def send(self, tensors: list[Flat], to: int, tag: int) -> Pending:
        time.sleep(random.random() / 5000)
        self.wires.queue((self.rank, to, tag)).put(tensors[0].values())
        return Pending(self.wires, (self.rank, to, tag))

    def recv(self, tensors: list[Flat], source: int, tag: int) -> Pending:
        return Pending(self.wires, (source, self.rank, tag), tensors[0])


def run(
    program: SimpleNamespace, op: str, ranks: int, slot: int, *, in_place: bool = False, length: int = 3
) -> tuple[list[list[float]], list[Any]]:
    """Every rank's target after two runs of ``op`` (one, in place), and its rail. Rank r holds 100·r + i at element i."""
    wires = Wires()
    for key in [
        (a, b, t) for a in range(ranks) for b in range(ranks) for t in [*range(400), program.rings.ACK]
    ]:
        wires.queue(key)
    targets = [[-1.0] * (slot * ranks) for _ in range(ranks)]

    def one(rank: int) -> Any:
        ack = [Flat([0.0], 0, 1), Flat([0.0], 0, 1)]
        rail = program.rings.Rail(Group(wires, rank), rank, ranks, ack, length)
        source = [100.0 * rank + i for i in range(slot * ranks)]

        def view(data: list[float]) -> Any:
            return lambda index: Flat(data, index * slot, (index + 1) * slot)

        if in_place:
            into = view(targets[rank])
            own = slice(rank * slot, (rank + 1) * slot) if op == "all_gather" else slice(None)
            targets[rank][own] = source[: len(targets[rank][own])]
            getattr(rail, op)(into, into, view([-1.0] * len(source)))
            return rail
        into = view(targets[rank])
        for _ in range(2):
            getattr(rail, op)(view(source), into, into)
        assert source == [100.0 * rank + i for i in range(slot * ranks)]
        return rail

    with ThreadPoolExecutor(ranks) as pool:
        rails = list(pool.map(one, range(ranks)))
    return targets, rails


CASES = [(2, 1), (2, 10), (3, 7), (4, 9), (5, 4)]
"""Ranks and elements of a slot."""


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("ranks", "slot"), CASES)
def test_all_reduce(program: SimpleNamespace, ranks: int, slot: int, in_place: bool) -> None:
    targets, _ = run(program, "all_reduce", ranks, slot, in_place=in_place)
    total = 100.0 * sum(range(ranks))
    assert targets == [[total + ranks * i for i in range(slot * ranks)]] * ranks


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("ranks", "slot"), CASES)
def test_reduce_scatter(program: SimpleNamespace, ranks: int, slot: int, in_place: bool) -> None:
    targets, _ = run(program, "reduce_scatter", ranks, slot, in_place=in_place)
    total = 100.0 * sum(range(ranks))
    for rank, target in enumerate(targets):
        own = range(rank * slot, (rank + 1) * slot)
        assert target[own.start : own.stop] == [total + ranks * i for i in own]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("ranks", "slot"), CASES)
def test_all_gather(program: SimpleNamespace, ranks: int, slot: int, in_place: bool) -> None:
    targets, _ = run(program, "all_gather", ranks, slot, in_place=in_place)
    assert targets == [[100.0 * r + i for r in range(ranks) for i in range(slot)]] * ranks


@pytest.mark.parametrize(("ranks", "slot"), CASES)
def test_alltoall(program: SimpleNamespace, ranks: int, slot: int) -> None:
    targets, _ = run(program, "alltoall", ranks, slot)
    for rank, target in enumerate(targets):
        assert target == [100.0 * r + rank * slot + i for r in range(ranks) for i in range(slot)]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("op", ["all_reduce", "all_gather", "reduce_scatter", "alltoall"])
def test_it_moves_what_the_transport_law_says(program: SimpleNamespace, op: str, in_place: bool) -> None:
    ranks, slot, runs = 4, 1000, 1 if in_place else 2
    _, rails = run(program, op, ranks, slot, in_place=in_place, length=100)
    payload = transport.payload_per_node(op, ranks * slot * BYTES, ranks, iterations=runs)
    for rail in rails:
        assert rail.sent == rail.received
        # alltoall adds an acknowledgement of one element per round.
        assert rail.sent - payload == (runs * (ranks - 1) * BYTES if op == "alltoall" else 0)


def test_slots_of_no_elements_move_nothing(program: SimpleNamespace) -> None:
    targets, rails = run(program, "all_gather", 3, 0)
    assert targets == [[], [], []]
    assert [rail.sent for rail in rails] == [0, 0, 0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(1, 64))
def test_shares_cover_all_and_differ_by_one_at_most(
    program: SimpleNamespace, length: int, parts: int
) -> None:
    cuts = [program.rings.share(length, parts, i) for i in range(parts)]
    assert cuts[0][0] == 0
    assert cuts[-1][1] == length
    assert all(a[1] == b[0] for a, b in itertools.pairwise(cuts))
    sizes = {b - a for a, b in cuts}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("buffer", "elements"),
    [("", 131072), ("4194304", 131072), ("1048576", 32768), ("64", 1024), ("0", 131072), ("4M", 131072), ("-8", 131072),
     ("9" * 99, 131072)],
)  # fmt: skip
def test_a_message_is_an_eighth_of_nccls_buffer(program: SimpleNamespace, buffer: str, elements: int) -> None:
    assert program.rings.segment(buffer) == elements
