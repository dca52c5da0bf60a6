"""From one curve to the cause: take the measurement that the ranking asks for, until it says which cause it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import pytest
from tests.support.simulate import Cluster, GdrOff, NvlsOff, Rerouted, Simulator, Slow, Trouble

from railbed.catalog import load_machine
from railbed.judge import causes
from railbed.laws import bandwidth

HGX = bandwidth.of(load_machine("metal/hgx-h100"))
SIZE = 16e9
SMALL = 1 << 20
NAMES = {description: name for name, description in causes.MEASUREMENTS.items()}


def rail_shares(rates: Mapping[tuple[str, int], float], healthy: float) -> dict[str, float]:
    """The shares that a measurement of each (node, rail) by itself gives; ``healthy`` in the same unit as ``rates``."""
    node, _ = min(rates, key=lambda key: rates[key])
    return {
        "rails": max(min(rates.values()) / healthy, 1e-3),
        "rails_of_node": max(
            median(rate for (name, _), rate in rates.items() if name == node) / healthy, 1e-3
        ),
        "rails_median": max(median(rates.values()) / healthy, 1e-3),
    }


class FaultyFabric:
    """Takes measurements on a simulated cluster; shares are of what the same cluster gives without its troubles."""

    def __init__(self, nodes: int, troubles: Sequence[Trouble]) -> None:
        self.nodes, self.troubles = nodes, troubles
        self.sick, self.well = (Simulator(Cluster(nodes), t) for t in (troubles, ()))

    def busbw(self, sim: Simulator, over: Sequence[int] | None = None, size: float = SIZE) -> float:
        ranks = 8 * (self.nodes if over is None else len(over))
        return size / 1e9 / sim.collective_s("all_reduce", size, None, over) * 2 * (ranks - 1) / ranks

    def share(self, over: Sequence[int] | None = None, size: float = SIZE) -> float:
        return self.busbw(self.sick, over, size) / self.busbw(self.well, over, size)

    def rails(self, *, gpu_memory: bool) -> dict[tuple[str, int], float]:
        """The best of two partners both ways, as the rails are judged."""
        found = {}
        for node in range(self.nodes):
            partners = [(node + step) % self.nodes for step in (1, 2) if self.nodes > step]
            for rail in range(8):
                paths = [
                    max(self.sick.rail_gbps(*ends, rail, gpu_memory=gpu_memory) for ends in both)
                    for both in zip(*[((node, p), (p, node)) for p in partners], strict=True)
                ]
                found[f"node-{node}", rail] = min(paths)
        return found

    def measure(self, name: str) -> dict[str, float]:
        half = self.nodes // 2
        if name == "rails":
            return rail_shares(self.rails(gpu_memory=True), 392.0)
        if name == "host_rails":
            return {"host_rails": max(1e-3, min(self.rails(gpu_memory=False).values()) / 392)}
        if name == "inside":
            return {"inside": min(self.share([node]) for node in range(self.nodes))}
        if name == "halves":
            return {"halves": min(self.share(range(half)), self.share(range(half, self.nodes)))}
        return {"small": min(1.0, self.share(size=SMALL))} if name == "small" else {}

    def says(self) -> dict[str, bool]:
        """What NCCL's log would show."""
        return {
            causes.NVLS_OFF: any(isinstance(t, NvlsOff) for t in self.troubles),
            causes.GPUDIRECT_OFF: any(isinstance(t, GdrOff) for t in self.troubles),
            causes.SOCKETS: False,
        }


def follow(fabric: FaultyFabric) -> tuple[causes.Cause, list[str]]:
    """The first cause once it is certain, and the measurements that it took."""
    shares, says, taken = {"curve": fabric.share()}, {}, []
    healthy = fabric.busbw(fabric.well)
    while True:
        evidence = causes.Evidence(shares=shares, nccl_says=says)
        first = causes.rank(HGX, fabric.nodes, "all_reduce", healthy, evidence)[0]
        name = NAMES[first.measure]
        if not first.ambiguous or name in taken:
            return first, taken
        taken.append(name)
        if name == "nccl_log":
            says = fabric.says()
        shares = {**shares, **fabric.measure(name)}


@pytest.mark.parametrize(
    ("nodes", "troubles", "cause"),
    [
        (2, [Rerouted(node=1, rail=3, over=2)], causes.RAIL_DOWN),
        (4, [Rerouted(node=1, rail=3, over=2)], causes.RAIL_DOWN),
        (2, [Slow(node=1, rail=3, share=0.5)], causes.RAIL_SLOW),
        (4, [Slow(node=1, rail=3, share=0.5)], causes.RAIL_SLOW),
        (8, [Slow(node=2, rail=0, share=0.7, side="in")], causes.RAIL_SLOW),
        (1, [NvlsOff()], causes.NVLS_OFF),
        (2, [NvlsOff()], causes.NVLS_OFF),
        (2, [GdrOff()], causes.GPUDIRECT_OFF),
        (4, [GdrOff()], causes.GPUDIRECT_OFF),
    ],
    ids=str,
)
def test_the_right_cause_after_the_separating_measurements(
    nodes: int, troubles: list[Trouble], cause: str
) -> None:
    found, taken = follow(FaultyFabric(nodes, troubles))
    assert (found.cause, found.ambiguous) == (cause, False)
    assert len(taken) <= 3
