"""What an inference service must hold, and what its replicas carry. Pure.

Sources: Little's law, L = λ·W (J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9 (3), 1961,
https://doi.org/10.1287/opre.9.3.383): requests in the service are their rate times the time that each stays. Time to first token
(TTFT) and time per output token (TPOT, the time after the first token over the tokens after it) as vLLM's `vllm bench serve`
computes them (https://docs.vllm.ai/en/latest/cli/bench/serve.html).
"""

from __future__ import annotations

from collections.abc import Sequence

from railbed.claims.records import FrozenModel

MS = 1000.0
UNKNOWN_SLOTS = 8
"""Requests that a replica of the reference service answers at once where the spec does not say, and no goal says how many there
are. A choice, without effect on a plan's numbers."""
SLOTS_TIMES = 2
"""Places of a replica for each request that it holds on average: arrivals at random come in bursts."""
MOST_SLOTS = 256
CACHE_TOKENS = 400_000
"""Of all places of a replica: keys and values of 12 layers, 1024 wide, in 2 B are 49 KB a token, 20 GB in all; on a processor a
fiftieth of that."""


class Service(FrozenModel):
    """One service of equal replicas, and the load that it is measured with."""

    gpus_per_replica: int
    placed: list[int]
    """Replicas of each of its nodes, fullest first."""
    requests_per_s: float
    slots: int
    """Requests that one replica answers at once."""
    input_length: int
    output_length: int
    """Both in tokens."""
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    goodput_share: float | None = None
    """Share of requests that must be within both goals."""
    lost_nodes: int = 0
    """Nodes that may be lost while it serves."""

    @property
    def replicas(self) -> int:
        return sum(self.placed)


def stay_s(ttft_ms: float, tpot_ms: float, output_length: int) -> float:
    """Seconds from a request to its last token: the first token, and each one after it."""
    return (ttft_ms + (output_length - 1) * tpot_ms) / MS


def concurrency(requests_per_s: float, stay: float) -> float:
    """Requests in the service at a time, by Little's law; ``stay``: seconds of each."""
    return requests_per_s * stay


def rate_per_s(in_service: float, stay: float) -> float:
    """Requests a second that keep so many in the service, by the same law."""
    return in_service / stay


def capacity_per_s(replicas: int, slots: int, stay: float) -> float:
    """Requests a second that replicas carry which hold ``slots`` each and keep each no longer than ``stay`` seconds."""
    return rate_per_s(replicas * slots, stay)


def spread(replicas: int, nodes: int, per_node: int) -> list[int]:
    """Replicas of each node, fullest first: over as many nodes as there are, as evenly as can be. None where they do not fit."""
    used = min(replicas, nodes)
    if used < 1 or per_node < 1 or replicas > nodes * per_node:
        return []
    share, more = divmod(replicas, used)
    return [share + (at < more) for at in range(used)]


def left(placed: Sequence[int], lost_nodes: int) -> int:
    """Replicas that remain where the fullest nodes are lost."""
    return sum(sorted(placed, reverse=True)[lost_nodes:])


def slots(wanted: int | None, in_service: float | None, replicas: int, length: int) -> int:
    """Places of one replica of the reference service: ``wanted`` by the spec, else by ``in_service``, the requests of all
    replicas at a time; as far as keys and values of ``length`` tokens each fit."""
    if wanted is None:
        wanted = UNKNOWN_SLOTS if in_service is None else round(SLOTS_TIMES * in_service / replicas)
    return max(1, min(wanted, MOST_SLOTS, CACHE_TOKENS // length))
