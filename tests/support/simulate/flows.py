"""Channels that share what they run over: max-min fair, and shared anew whenever one is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.support.simulate.hardware import Resource


@dataclass
class Channel:
    """A part of the message, and what each byte of it puts on every resource that it runs over."""

    nbytes: float
    loads: dict[Resource, float] = field(default_factory=dict)
    """Bytes on the resource per byte of the channel."""

    def load(self, resource: Resource, share: float) -> None:
        """Adds to what it puts on a resource."""
        self.loads[resource] = self.loads.get(resource, 0.0) + share


def finish_s(channels: Sequence[Channel], capacity: Callable[[Resource], float]) -> float:
    """Seconds until the last channel is done; infinite where one runs over something dead.

    A channel's hops are a pipeline: all go on at its one rate. Weighted max-min fairness by progressive filling
    (Bertsekas and Gallager, Data Networks, 6.5.2).
    """
    left = {number: channel.nbytes for number, channel in enumerate(channels) if channel.nbytes > 0}
    now = 0.0
    while left:
        rates = _rates([channels[number] for number in left], capacity)
        ends = {
            number: math.inf if not rate else left[number] / (rate * 1e9)
            for number, rate in zip(left, rates, strict=True)
        }
        step = min(ends.values())
        if math.isinf(step):
            return math.inf
        now += step
        left = {
            number: nbytes - rate * 1e9 * step
            for (number, nbytes), rate in zip(left.items(), rates, strict=True)
            if ends[number] > step * (1 + 1e-12)
        }
    return now


def _rates(channels: Sequence[Channel], capacity: Callable[[Resource], float]) -> list[float]:
    """GB/s of each channel."""
    users: dict[Resource, dict[int, float]] = {}
    for number, channel in enumerate(channels):
        for resource, share in channel.loads.items():
            users.setdefault(resource, {})[number] = share
    free = {resource: capacity(resource) for resource in users}
    rates = [math.inf] * len(channels)
    rising = set(range(len(channels)))
    while rising:
        level, tightest = math.inf, None
        for resource, shares in users.items():
            wanted = sum(share for number, share in shares.items() if number in rising)
            if wanted and free[resource] / wanted < level:
                level, tightest = free[resource] / wanted, resource
        if tightest is None:
            break
        stopped = rising & set(users[tightest])
        for number in stopped:
            rates[number] = level
            for resource, share in channels[number].loads.items():
                free[resource] = max(0.0, free[resource] - level * share)
        rising -= stopped
    return rates
