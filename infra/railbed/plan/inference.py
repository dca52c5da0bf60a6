"""Inference services of a spec: what their load comes to, and what replicas carry with and without the nodes that may be lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from railbed import catalog
from railbed.laws import serving as law
from railbed.plan.parts import Warned
from railbed.plan.work_parts import PlannedInference
from railbed.spec import ClusterSpec
from railbed.spec.serving import Serving


def services(spec: ClusterSpec) -> list[PlannedInference]:
    """Each workload of that kind, its replicas spread over as many nodes as there are."""
    of_node = catalog.load_machine(spec.pools[0].machine).gpus
    planned = []
    for index, workload in enumerate(spec.workloads):
        asked = workload.serving
        if asked is None:
            continue
        stay = _stay(asked)
        rate = asked.requests_per_s or law.rate_per_s(asked.concurrency or 0, stay or 1.0)
        held = None if stay is None else law.concurrency(rate, stay)
        slots = asked.concurrency_per_replica
        known = stay is not None and slots is not None
        placed = law.spread(asked.replicas, spec.compute_nodes, of_node // asked.gpus_per_replica)
        left = law.left(placed, asked.lost_nodes)
        planned.append(
            PlannedInference(
                workload=index,
                gpus=workload.gpus,
                service=law.Service(
                    gpus_per_replica=asked.gpus_per_replica, placed=placed, requests_per_s=rate,
                    slots=law.slots(slots, held, asked.replicas, asked.input_length + asked.output_length),
                    input_length=asked.input_length, output_length=asked.output_length,
                    ttft_ms=asked.ttft_ms, tpot_ms=asked.tpot_ms, goodput_share=asked.goodput_share,
                    lost_nodes=asked.lost_nodes,
                ),
                stay_s=stay,
                concurrency=held,
                capacity_per_s=law.capacity_per_s(asked.replicas, slots or 0, stay or 1.0) if known else None,
                replicas_left=left,
                capacity_left_per_s=law.capacity_per_s(left, slots or 0, stay or 1.0) if known else None,
            )
        )  # fmt: skip
    return planned


def largest(planned: Sequence[PlannedInference]) -> law.Service | None:
    """The service that is measured: that of most GPUs, the first of equal ones; None without any."""
    return max(planned, key=lambda one: one.gpus).service if planned else None


def _stay(asked: Serving) -> float | None:
    """Seconds that a request may stay; None where a goal is missing. An answer of one token ends with its first."""
    if asked.ttft_ms is None or (asked.tpot_ms is None and asked.output_length > 1):
        return None
    return law.stay_s(asked.ttft_ms, asked.tpot_ms or 0.0, asked.output_length)


def warnings(planned: Sequence[PlannedInference], where: str) -> Iterator[Warned]:
    """What a user should know of them."""
    for one in planned:
        at, service = f"{where}.workloads[{one.workload}].serving", one.service
        lacking = [name for name in ("ttft_ms", "tpot_ms", "goodput_share") if getattr(service, name) is None]
        if lacking:
            message = f"without {', '.join(lacking)} nothing says what users must get: those claims are out of scope"
            yield Warned(code="NO_GOAL", path=at, message=message)
        if not service.lost_nodes:
            message = "`lost_nodes` is 0: losing one node may fail requests, and `inference.failover` is out of scope"
            yield Warned(code="NO_HEADROOM", path=f"{at}.lost_nodes", message=message)
        if one.capacity_per_s is None or one.capacity_left_per_s is None:
            message = (
                "what replicas carry is not known: say how many requests one answers at once within both goals "
                "(`concurrency_per_replica`)"
            )
            yield Warned(code="CAPACITY_UNKNOWN", path=f"{at}.concurrency_per_replica", message=message)
            continue
        load = f"{service.requests_per_s:.4g} requests/s ({one.concurrency:.4g} at a time)"
        if one.capacity_per_s < service.requests_per_s:
            message = f"{service.replicas} replicas carry {one.capacity_per_s:.4g} of {load} within the goals"
            yield Warned(code="REPLICAS_FEW", path=f"{at}.replicas", message=message)
        elif one.capacity_left_per_s < service.requests_per_s:
            message = (
                f"with {service.lost_nodes} of {len(service.placed)} nodes lost the {one.replicas_left} replicas that are left "
                f"carry {one.capacity_left_per_s:.4g} of {load} within the goals: answers come, later than they must"
            )
            yield Warned(code="HEADROOM_SHORT", path=f"{at}.lost_nodes", message=message)
