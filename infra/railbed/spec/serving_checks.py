"""What an inference service of a spec must satisfy: sums, places for replicas, a load that is known, capacity that is left."""

from __future__ import annotations

from typing import Any

from railbed import catalog
from railbed.errors import SpecError
from railbed.laws import serving as law
from railbed.spec.cluster import ClusterSpec, Workload
from railbed.spec.problems import key_path
from railbed.spec.serving import Serving

KIND = "inference"


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that a service deserves."""
    for index, workload in enumerate(spec.workloads):
        at = key_path(where, ["workloads", index])
        if workload.serving is None and workload.kind == KIND:
            raise SpecError(
                "the key 'serving' is missing", path=f"{at}.serving", allowed="replicas, load and goals of the service",
                hint="add `serving:`",
            )  # fmt: skip
        if workload.serving is not None and workload.kind != KIND:
            raise SpecError(
                f"a workload of kind {workload.kind} serves nobody", path=f"{at}.serving", found=workload.kind, allowed=KIND,
                hint="remove it, or use kind: inference",
            )  # fmt: skip
        if workload.serving is not None:
            _load(workload.serving, f"{at}.serving")
            _places(spec, workload, workload.serving, at)


def _refuse(message: str, path: str, found: Any, allowed: Any, hint: str, code: str = "SPEC_INVALID") -> None:
    raise SpecError(message, path=path, found=found, allowed=allowed, hint=hint, code=code)


def _load(asked: Serving, at: str) -> None:
    if (asked.requests_per_s is None) == (asked.concurrency is None):
        said = "both" if asked.concurrency else "neither"
        _refuse(
            "the load is either a rate or a concurrency", f"{at}.requests_per_s", said, "one of requests_per_s, concurrency",
            "write one of the two",
        )  # fmt: skip
    both = asked.ttft_ms is not None and asked.tpot_ms is not None
    if asked.concurrency is not None and not both:
        _refuse(
            "a concurrency without both latency goals is no load: nobody knows how long a request stays",
            f"{at}.concurrency", asked.concurrency, "with ttft_ms and tpot_ms", "add the goals, or write requests_per_s",
        )  # fmt: skip
    if asked.goodput_share is not None and not both:
        _refuse(
            "goodput is a share of requests within both goals", f"{at}.goodput_share", asked.goodput_share,
            "with ttft_ms and tpot_ms", "add the goals, or remove goodput_share",
        )  # fmt: skip
    if asked.tpot_ms is not None and asked.output_length < 2:
        _refuse(
            "an answer of one token has no time between tokens", f"{at}.tpot_ms", asked.tpot_ms, "output_length ≥ 2",
            "remove the goal, or ask for more tokens",
        )  # fmt: skip


def _places(spec: ClusterSpec, workload: Workload, asked: Serving, at: str) -> None:
    gpus = asked.replicas * asked.gpus_per_replica
    if gpus != workload.gpus:
        _refuse(
            f"{asked.replicas} replicas × {asked.gpus_per_replica} GPUs are {gpus} GPUs, not {workload.gpus}",
            f"{at}.gpus", workload.gpus, gpus, f"write gpus: {gpus}, or other replicas", "SPEC_SUM",
        )  # fmt: skip
    of_node = catalog.load_machine(spec.pools[0].machine).gpus
    if asked.gpus_per_replica > of_node:
        _refuse(
            f"a replica of {asked.gpus_per_replica} GPUs would span nodes, and a node has {of_node}: no path of this release "
            "measures such",
            f"{at}.serving.gpus_per_replica", asked.gpus_per_replica, f"≤ {of_node}",
            "take fewer GPUs for a replica, or another machine", "SPEC_SUM",
        )  # fmt: skip
    per_node = of_node // asked.gpus_per_replica
    placed = law.spread(asked.replicas, spec.compute_nodes, per_node)
    if not placed:
        _refuse(
            f"{spec.compute_nodes} nodes have room for {per_node} replicas each", f"{at}.serving.replicas", asked.replicas,
            f"≤ {spec.compute_nodes * per_node}", "add nodes, or take fewer replicas or fewer GPUs for each", "SPEC_SUM",
        )  # fmt: skip
    if law.left(placed, asked.lost_nodes) == 0:
        _refuse(
            f"{asked.replicas} replicas lie on {len(placed)} nodes: with {asked.lost_nodes} lost nothing answers",
            f"{at}.serving.lost_nodes", asked.lost_nodes, f"≤ {len(placed) - 1}",
            "add replicas on more nodes, or lose fewer", "SPEC_SUM",
        )  # fmt: skip
