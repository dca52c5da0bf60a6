"""Which nodes of a cluster are a pool's, and why others are not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.effects.kubernetes import objects
from railbed.errors import RailbedError
from railbed.plan import ClusterPlan, PlannedPool
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.text import few, shown

PRODUCT = "nvidia.com/gpu.product"
"""Label of NVIDIA's GPU Feature Discovery: the GPU's name with hyphens for blanks (NVIDIA/k8s-device-plugin, docs, "Labels")."""
SHOWN = 5


@dataclass(frozen=True)
class PoolNodes:
    """What was found of one pool in the cluster."""

    nodes: list[Mapping[str, Any]]
    """Nodes that it may have, as the API gives them: those of the contract first. May be more than the spec asks for."""
    reasons: list[str] = field(default_factory=list)
    """Why others that carry its labels are not taken."""


def select(nodes: Sequence[Mapping[str, Any]], wanted: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Nodes that carry all of these labels, in the order of their names."""
    found = [one for one in nodes if wanted.items() <= dict(objects.labels(one)).items()]
    return sorted(found, key=objects.api_name)


def unfit(node: Mapping[str, Any], pool: PlannedPool, place: KubernetesPlatform) -> str:
    """Why the node cannot be one of the pool's; empty where it can."""
    machine = pool.machine
    gpus = objects.offers(node, objects.GPU)
    product = objects.labels(node).get(PRODUCT, "")
    strange = objects.foreign(node, place.taints)
    if gpus != machine.gpus:
        return f"offers {gpus} {objects.GPU}, and {machine.key} has {machine.gpus}"
    if product and product != machine.gpu_model.replace(" ", "-"):
        return f"its label {PRODUCT} is {shown(product)}, and {machine.key} has {machine.gpu_model}"
    for name, least in place.resources.items():
        if (there := objects.offers(node, name)) < least:
            return f"offers {there} {name}, and the spec asks for {least}"
    for label in place.kueue.topology if place.kueue else ():
        if label not in objects.labels(node):
            return f"lacks the label {label}, by which `platform.kueue.topology` knows where it is"
    if strange:
        return f"carries the taint {shown(', '.join(strange))}, which `platform.taints` does not name"
    if not objects.machine_id(node):
        return "its kubelet reports no machine id, by which it could be told from another"
    ready, words, _ = objects.readiness(node)
    return "" if ready else f"is not ready: {words}"


def of_pools(
    plan: ClusterPlan, place: KubernetesPlatform, nodes: Sequence[Mapping[str, Any]], known: Collection[str]
) -> dict[str, PoolNodes]:
    """Pool → its nodes. ``known``: machine ids of the contract's nodes, which stay whatever they report today.

    Raises RailbedError ``NODE_TWICE`` for a node with the labels of two pools, or two nodes with one machine id.
    """
    found: dict[str, PoolNodes] = {}
    taken: dict[str, str] = {}
    for pool in plan.pools:
        fit, reasons = [], []
        for node in select(nodes, place.selectors[pool.name]):
            name, identity = objects.api_name(node), objects.machine_id(node)
            if name in taken:
                raise _twice(f"node {name} has the labels of two pools", [taken[name], pool.name])
            taken[name] = pool.name
            why = "" if identity in known else unfit(node, pool, place)
            if why:
                reasons.append(f"{name} {why}")
            else:
                fit.append(node)
        kept = [one for one in fit if objects.machine_id(one) in known]
        fresh = [one for one in fit if objects.machine_id(one) not in known]
        found[pool.name] = PoolNodes([*kept, *fresh], _few(reasons))
    _once([one for pool in found.values() for one in pool.nodes])
    return found


def _few(reasons: list[str]) -> list[str]:
    more = len(reasons) - SHOWN
    return reasons[:SHOWN] + ([f"and {more} more"] if more > 0 else [])


def _once(nodes: Sequence[Mapping[str, Any]]) -> None:
    first: dict[str, str] = {}
    for one in nodes:
        name = objects.api_name(one)
        other = first.setdefault(objects.machine_id(one), name)
        if other != name:
            raise _twice(
                f"nodes {other} and {name} report one machine id: one was cloned from the other",
                [other, name],
            )


def _twice(message: str, found: list[str]) -> RailbedError:
    return RailbedError(
        message, code="NODE_TWICE", path="railbed:cluster.platform.selectors", found=few(found),
        allowed="each node once, each machine id once",
        hint="mend the labels, or give the node a machine id of its own (systemd-machine-id-setup)",
    )  # fmt: skip
