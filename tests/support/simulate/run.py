"""Runs of a simulated cluster: seconds of a collective, Gb/s of one rail, and the log that a program would print."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from tests.support.simulate import channels
from tests.support.simulate.flows import Channel, finish_s
from tests.support.simulate.hardware import Cluster, Resource
from tests.support.simulate.log import table
from tests.support.simulate.trouble import GdrOff, NvlsOff, Rerouted, Slow, SlowWay, Trouble

ALGORITHMS = ("ring", "railring", "tree", "nvlstree")


class Simulator:
    """One cluster with its troubles; the same seed gives the same runs."""

    def __init__(
        self, cluster: Cluster, troubles: Sequence[Trouble] = (), *, noise: float = 0.0, seed: int = 0
    ) -> None:
        self.cluster, self.troubles, self.noise = cluster, list(troubles), noise
        self.random = random.Random(seed)

    def collective_s(
        self, collective: str, nbytes: float, algorithm: str | None = None, nodes: Sequence[int] | None = None
    ) -> float:
        """Seconds of one run over ``nodes`` (all); infinite where it never ends. Raises ValueError for unknown words.

        Without ``algorithm``: all_reduce takes NVLink's switch and trees, the others rings per rail.
        """
        over = list(range(self.cluster.nodes)) if nodes is None else list(nodes)
        active = self._active()
        made, steps = self._channels(collective, nbytes, algorithm, over, active)
        for channel in made:
            self._reroute(channel, active)
            self._stage(channel, active)
        seconds = finish_s(made, lambda resource: self._capacity(resource, active))
        return (self.cluster.start_s + steps * self.cluster.hop_s + seconds) * self._jitter()

    def rail_gbps(self, sender: int, receiver: int, rail: int, *, gpu_memory: bool = True) -> float:
        """Payload of one flow over exactly this rail, with nothing beside it, Gb/s."""
        active = self._active()
        channel = Channel(1e9)
        channels.cross(channel, sender, receiver, rail, 1.0)
        dead = {(one.node, one.rail) for one in active if isinstance(one, Rerouted)}
        if dead & {(sender, rail), (receiver, rail)}:
            return 0.0
        if gpu_memory:
            self._stage(channel, active)
        seconds = finish_s([channel], lambda resource: self._capacity(resource, active))
        return 0.0 if math.isinf(seconds) else 8 / seconds / self._jitter()

    def log(
        self,
        collective: str,
        sizes: Sequence[int],
        algorithm: str | None = None,
        nodes: Sequence[int] | None = None,
    ) -> str:
        """What nccl-tests would print; a run that never ends leaves its row out."""
        over = list(range(self.cluster.nodes)) if nodes is None else list(nodes)
        rows = [
            (size, [self.collective_s(collective, size, algorithm, over) for _ in range(2)]) for size in sizes
        ]
        return table(collective, over, self.cluster.gpus, rows)

    def _jitter(self) -> float:
        return max(0.1, self.random.gauss(1.0, self.noise)) if self.noise else 1.0

    def _active(self) -> list[Trouble]:
        """The troubles of this run."""
        return [one for one in self.troubles if self.random.random() < one.probability]

    def _channels(
        self,
        collective: str,
        nbytes: float,
        algorithm: str | None,
        nodes: Sequence[int],
        active: Sequence[Trouble],
    ) -> tuple[list[Channel], int]:
        """The channels and how many steps one byte takes."""
        nvls = not any(isinstance(t, NvlsOff) and (t.node is None or t.node in nodes) for t in active)
        chosen = algorithm or ("nvlstree" if collective == "all_reduce" else "railring")
        cluster, ranks = self.cluster, len(nodes) * self.cluster.gpus
        if collective == "alltoall":
            return channels.exchange(cluster, nodes, nbytes), ranks - 1
        if collective not in channels.RINGED or chosen not in ALGORITHMS:
            raise ValueError(f"no simulation of {collective} over {chosen}")
        if chosen == "ring":
            return channels.rings(cluster, nodes, nbytes, collective), 2 * (ranks - 1)
        if chosen == "railring" or len(nodes) == 1:
            # NCCL reduces in the NVLink switch for all_reduce; the others run as rings by default.
            nvls = nvls and chosen != "tree" and collective == "all_reduce"
            return channels.rail_rings(cluster, nodes, nbytes, collective, nvls=nvls), 2 * len(nodes)
        if collective != "all_reduce":
            raise ValueError(f"no simulation of {collective} over {chosen}")
        made = channels.trees(cluster, nodes, nbytes, nvls=nvls and chosen == "nvlstree")
        return made, 2 * len(nodes).bit_length()

    def _capacity(self, resource: Resource, active: Sequence[Trouble]) -> float:
        kind, node, index = resource
        bears = self.cluster.capacity(resource)
        for one in active:
            if isinstance(one, Slow) and (one.node, one.rail) == (node, index):
                if kind in ("nic_out", "nic_in") and one.side in ("both", kind[4:]):
                    bears *= one.share
            elif isinstance(one, SlowWay):
                ends = tuple(sorted((one.node, one.partner)))
                if (kind, node, index) == (f"way {one.rail}", *ends):
                    bears = min(bears, self.cluster.capacity(("nic_out", node, one.rail)) * one.share)
        return bears

    def _reroute(self, channel: Channel, active: Sequence[Trouble]) -> None:
        """Moves what a dead NIC would have carried to the NIC that stands in for it."""
        for one in active:
            if isinstance(one, Rerouted):
                for kind in ("nic_out", "nic_in"):
                    share = channel.loads.pop((kind, one.node, one.rail), 0.0)
                    if share:
                        channel.load((kind, one.node, one.over), share)

    def _stage(self, channel: Channel, active: Sequence[Trouble]) -> None:
        """Puts what the NICs of nodes without GPUDirect move on their host's memory too."""
        off = [one for one in active if isinstance(one, GdrOff)]
        cluster = self.cluster
        for (kind, node, rail), share in list(channel.loads.items()):
            if kind in ("nic_out", "nic_in") and any(one.node in (None, node) for one in off):
                channel.load(("staged", node, rail), share)
                channel.load(("host", node, rail * cluster.sockets // cluster.rails), share)
