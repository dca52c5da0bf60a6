"""The message sizes that a collective is run at, and what its bus bandwidth must reach at each of them."""

from __future__ import annotations

from railbed.claims.records import Expectation, Reach
from railbed.defaults import CURVE_BYTES_PER_RANK, CURVE_FACTOR, CURVE_LEAST_BYTES, SLOW_LINE_FACTOR
from railbed.laws import bandwidth, latency, published, ranks
from railbed.laws.machine import BandwidthMachine, group

DIGITS = 5
"""Significant digits that a contract keeps of a rate."""
LEAST_FLOOR_US = 1000.0
"""A size that should take less has no floor: two iterations of the slowest rank include process start."""


def sizes(machine: BandwidthMachine, nodes: int, largest_bytes: int) -> list[int]:
    """Sizes in bytes up to ``largest_bytes``, each CURVE_FACTOR times the one before (nccl-tests, -b -e -f), ascending.

    Where one rank drives all rails there is one smaller size: on a line that takes 0.7 s for the largest more would cost time and
    tell of the host's processor. Elsewhere every rank has at least CURVE_BYTES_PER_RANK of the smallest.
    """
    found = [largest_bytes]
    factor = SLOW_LINE_FACTOR if machine.network_only else CURVE_FACTOR
    least = max(CURVE_LEAST_BYTES, CURVE_BYTES_PER_RANK * group(machine, nodes).ranks)
    if machine.network_only:
        least = largest_bytes // factor
    while found[-1] % factor == 0 and found[-1] // factor >= least:
        found.append(found[-1] // factor)
    return found[::-1]


def curve(machine: BandwidthMachine, nodes: int, collective: str, largest_bytes: int) -> list[Reach]:
    """What each size must reach, GB/s. Raises UsageError as ``bandwidth.expect`` does."""
    plateau = bandwidth.expect(machine, nodes, collective, largest_bytes).expected
    found = []
    for size in sizes(machine, nodes, largest_bytes):
        reach = bandwidth.expect(machine, nodes, collective, size)
        expected = reach.expected
        if expected is None and plateau and not machine.network_only:
            # Nobody published a smaller size of it: the model draws the expectation, and gives no floor.
            expected = latency.busbw_gbytes_per_s(group(machine, nodes), collective, size, plateau)
        scale = ranks.factor(collective, group(machine, nodes).ranks)
        short = scale is not None and expected is not None and size * scale / expected / 1000 < LEAST_FLOOR_US
        least = None if short else floor(reach)
        found.append(Reach(size_bytes=size, expected=_digits(expected), floor=_digits(least)))
    return found


def floor(reach: Expectation) -> float | None:
    """The law's own floor; of a size that only NCCL's latency model speaks of, what the slowest published healthy run leaves of
    it, less the widest slack that an operator leaves. None where nothing supports one: such a size informs."""
    if reach.floor is not None or reach.expected is None or reach.basis != "derived":
        return reach.floor
    return reach.expected / latency.SLOWEST_HEALTHY * (1 - published.MODEL_SLACK)


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
