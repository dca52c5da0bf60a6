"""The collectives on one rail, over gloo's send and recv: rings of segments, and pairwise exchange.

gloo's own reduce_scatter is an all_reduce and a slice, twice the bytes; these move exactly what must be
moved. Segments keep the rail busy while the one before is added up and sent on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

STEPS, ELEMENT_BYTES = 8, 4
"""Messages of a buffer of NCCL (NCCL_STEPS, src/include/device.h), and bytes of a float32."""
SEGMENT = 128 * 1024
"""Elements of one message where nobody sets NCCL_BUFFSIZE, which is 4 MiB then: 512 KiB."""
LEAST = 1024
"""Of a message, so that their numbers stay below those of acknowledgements."""
ACK = 1 << 20
"""Tag of acknowledgements, above those of segments."""

View = Callable[[int], Any]
"""Slot → this rail's share of that slot, a flat tensor."""


def share(length: int, parts: int, part: int) -> tuple[int, int]:
    """Start and end of one of ``parts`` of ``length`` elements; they differ by at most one element."""
    return length * part // parts, length * (part + 1) // parts


def segment(buffer: str) -> int:
    """Elements of one message, an eighth of NCCL_BUFFSIZE; as NCCL does, an odd value is as none."""
    whole = int(buffer) if buffer.isascii() and buffer.isdigit() and len(buffer) < 16 else 0
    return max(whole // STEPS // ELEMENT_BYTES, LEAST) if whole else SEGMENT


def segments(slots: Sequence[Any], length: int) -> list[list[Any]]:
    """Each slot cut into messages of about ``length`` elements, all slots into equally many."""
    count = max(1, -(-max(slot.numel() for slot in slots) // length))
    return [list(slot.tensor_split(count)) for slot in slots]


class Done:
    """Stands for a message of no bytes: both ends know that there is nothing to move."""

    def wait(self) -> bool:
        return True


def _as_it_is(_tag: int, segment: Any) -> Any:
    """What an all_gather does to a segment."""
    return segment


class Rail:
    """One rail's group as seen by one rank."""

    def __init__(self, group: Any, rank: int, size: int, ack: Any, length: int) -> None:
        self.group, self.rank, self.size = group, rank, size
        self.length = length
        """Elements of one message."""
        self.ack = ack
        """Two tensors of one element: an acknowledgement that comes, one that goes."""
        self.sent = self.received = 0
        """Payload bytes handed to, and taken from, the network."""

    def _send(self, tensor: Any, to: int, tag: int) -> Any:
        self.sent += tensor.numel() * tensor.element_size()
        return self.group.send([tensor], to, tag) if tensor.numel() else Done()

    def _recv(self, tensor: Any, source: int, tag: int) -> Any:
        self.received += tensor.numel() * tensor.element_size()
        return self.group.recv([tensor], source, tag) if tensor.numel() else Done()

    def _ring(self, first: list[Any], landing: list[Any], arrived: Callable[[int, Any], Any]) -> None:
        """Passes segments round the ring.

        ``first`` are the segments that this rank starts with; each step takes as many from the left.
        ``landing`` are the places of all steps one after the other: all are offered at once, because an
        offer made while the rail is full waits behind the data. ``arrived`` works on a segment and returns
        what goes on to the right unless it is of the last step.
        """
        right, left, count = (self.rank + 1) % self.size, (self.rank - 1) % self.size, len(first)
        due = [self._recv(place, left, tag) for tag, place in enumerate(landing)]
        sends = [self._send(segment, right, tag) for tag, segment in enumerate(first)]
        for tag, work in enumerate(due):
            work.wait()
            segment = arrived(tag, landing[tag])
            if tag + count < len(due):
                sends.append(self._send(segment, right, tag + count))
        for work in sends:
            work.wait()

    def _reducing(self, source: View, target: View, scratch: View, steps: int) -> None:
        """Rounds that add up (size - 1 steps) and, with more steps, hand the sums round.

        A partial sum lands where its slot's result will: it has moved on long before that comes round. In
        place that is where this rank's own data still lie, so it lands in ``scratch`` and is added to them.
        """
        size, rank = self.size, self.rank
        parts = segments([source(slot) for slot in range(size)], self.length)
        landing = segments([scratch(slot) for slot in range(size)], self.length)
        results = segments([target(slot) for slot in range(size)], self.length)
        order = [(rank - step - 2) % size for step in range(steps)]
        adding = (size - 1) * len(parts[0])
        own = [part for slot in order for part in parts[slot]]
        in_place = scratch is not target

        def arrived(tag: int, partial: Any) -> Any:
            if tag >= adding:
                return partial
            into, what = (own[tag], partial) if in_place else (partial, own[tag])
            into.add_(what)
            return into

        places = [
            place
            for step, slot in enumerate(order)
            for place in (landing if step < size - 1 else results)[slot]
        ]
        self._ring(parts[(rank - 1) % size], places, arrived)

    def all_reduce(self, source: View, target: View, scratch: View) -> None:
        """Sums all slots of all ranks into ``target``: what was added up goes round once more."""
        self._reducing(source, target, scratch, 2 * (self.size - 1))

    def reduce_scatter(self, source: View, target: View, scratch: View) -> None:
        """Sums slot ``rank`` of all ranks into that slot of ``target``; its other slots hold partial sums after."""
        self._reducing(source, target, scratch, self.size - 1)

    def all_gather(self, source: View, target: View, _scratch: View) -> None:
        """Brings every rank's own data into that rank's slot of ``target``: ``source(0)``, in place that slot itself."""
        size, rank = self.size, self.rank
        places = segments([target(slot) for slot in range(size)], self.length)
        order = [(rank - step - 1) % size for step in range(size - 1)]
        if source is not target:
            target(rank).copy_(source(0))
        self._ring(places[rank], [p for slot in order for p in places[slot]], _as_it_is)

    def alltoall(self, source: View, target: View, _scratch: View) -> None:
        """Slot i goes to rank i, in rounds: in each, everybody sends to one rank and takes from one.

        The next round begins when all but the last segment of this one has arrived at both ends, which the
        taker acknowledges: what is written to a socket is not yet on the wire, and rounds that run into each
        other crowd some rails while others idle. The last segment covers the acknowledgement's way.
        """
        size, rank, ack = self.size, self.rank, self.ack
        due, taken = [], []
        for step in range(1, size):
            giver, to = (rank - step) % size, (rank + step) % size
            due.append(
                [self._recv(t, giver, tag) for tag, t in enumerate(segments([target(giver)], self.length)[0])]
            )
            taken.append(self._recv(ack[0], to, ACK))
        if source is not target:
            target(rank).copy_(source(rank))
        rest: list[Any] = []
        for step in range(1, size):
            giver, to = (rank - step) % size, (rank + step) % size
            rest += [self._send(t, to, tag) for tag, t in enumerate(segments([source(to)], self.length)[0])]
            for work in due[step - 1][:-1]:
                work.wait()
            rest += [self._send(ack[1], giver, ACK), due[step - 1][-1]]
            taken[step - 1].wait()
        for work in rest:
            work.wait()
