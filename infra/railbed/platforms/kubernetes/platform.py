"""From a plan to objects in a Kubernetes cluster that is there already, and to the contract of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from railbed import contract
from railbed.effects.kubernetes import objects
from railbed.effects.secrets import ensure_stack_secrets
from railbed.plan import ClusterPlan, PlannedPool, node_names
from railbed.platforms import assemble
from railbed.platforms.cloud import members as named_members
from railbed.platforms.cloud import support
from railbed.platforms.cloud.engine_errors import without_traceback
from railbed.platforms.cloud.members import Member
from railbed.platforms.kubernetes import discover
from railbed.platforms.kubernetes.checking import Checking
from railbed.platforms.kubernetes.discover import CLUSTER_LABEL, Cluster
from railbed.platforms.kubernetes.queues import SEES_QUEUES, Queues
from railbed.platforms.kubernetes.support import SUPPORT
from railbed.platforms.kubernetes.system import System
from railbed.platforms.kubernetes.tenants import Tenant
from railbed.platforms.site import Site
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.kubernetes_checks import checks_namespace, system_namespace

NO_LOGIN = contract.Ssh(user="root", host_keys=[])
"""No host key: SSH refuses every node, as nothing of railbed logs in there."""


def build(plan: ClusterPlan, site: Site) -> pulumi.Output[Any]:
    """Declares the objects; the output is the contract as JSON data. The cluster is read first: another one gets nothing."""
    support.require(plan, SUPPORT)
    place = discover.place_of(plan)
    ensure_stack_secrets(site.work)
    known, cluster_id = discover.known(site.previous)
    cluster = discover.read_cluster(plan, known, cluster_id)
    system = declare(plan, place, cluster.cluster_id)
    output: pulumi.Output[Any] = system.namespace.id.apply(
        without_traceback(lambda _: made(plan, place, site, cluster, known))
    )
    return output


def declare(plan: ClusterPlan, place: KubernetesPlatform, cluster_id: str) -> System:
    """The objects of the plan; as many for 8 nodes as for 8,000. ``cluster_id``: of the cluster that was read."""
    provider = _provider("cluster", place, cluster_id, adopts=False)
    # A tenant's namespace outlives the stack, and its owner may give one to it: `discover` has checked its label.
    spaces = _provider("tenant-namespaces", place, cluster_id, adopts=True)
    labels = {"app.kubernetes.io/managed-by": "railbed", CLUSTER_LABEL: plan.name}
    opts = pulumi.ResourceOptions(provider=provider)
    system = System(plan.name, system_namespace(plan.name), labels, opts)
    if place.checks is not None:
        Checking(checks_namespace(plan.name), system, labels, opts)
    sees = [SEES_QUEUES] if place.kueue is not None else []
    tenants: dict[str, pulumi.Resource] = {
        name: Tenant(name, wanted, labels, opts, spaces, sees) for name, wanted in place.tenants.items()
    }
    if place.kueue is not None:
        gpus = {pool.name: pool.nodes * pool.machine.gpus for pool in plan.pools}
        Queues(plan.name, place, gpus, labels, opts, tenants)
    return system


def _provider(name: str, place: KubernetesPlatform, cluster_id: str, *, adopts: bool) -> k8s.Provider:
    """``adopts``: what is there already is taken over; else it is refused.

    The engine's state keeps the path as the spec has it: the provider looks for each operator's own home. The cluster's id says
    whether objects have to be made anew; by itself the provider would do so for another path or address of the same cluster.
    """
    return k8s.Provider(
        name, kubeconfig=place.kubeconfig, context=place.context, cluster_identifier=cluster_id,
        enable_server_side_apply=True, upsert_existing_objects=adopts,
    )  # fmt: skip


def made(
    plan: ClusterPlan, place: KubernetesPlatform, site: Site, cluster: Cluster, known: Mapping[str, str]
) -> dict[str, Any]:
    """The contract as JSON data. ``known``: machine id → name in the last one."""
    nodes, missing = [], []
    for pool in plan.pools:
        found = cluster.pools[pool.name]
        there = {objects.machine_id(one): one for one in found.nodes}
        listed = [
            Member(id=key, address=objects.address(one), created=_order(one)) for key, one in there.items()
        ]
        names = node_names(pool.name, pool.nodes, pool.spares)
        named = named_members.named(names, listed, known)
        nodes += [_node(pool, name, there[named[name].id]) for name in names if name in named]
        if len(named) < len(names):
            reasons = found.reasons or ["no other node of the cluster carries the pool's labels"]
            missing.append(
                contract.Missing(pool=pool.name, asked=len(names), found=len(named), reasons=reasons)
            )
    body = assemble.unsealed(plan, site.stack, nodes, [], [], missing)
    kubernetes = contract.Kubernetes(
        kubeconfig=place.kubeconfig, context=place.context, server=cluster.server, version=cluster.version,
        cluster_id=cluster.cluster_id, namespace=system_namespace(plan.name), taints=place.taints, gate=place.gate,
        checks=_checks(plan, place),
    )  # fmt: skip
    return body.model_copy(
        update={"kubernetes": kubernetes, "classes": [_bare(one) for one in body.classes]}
    ).sealed_json()


def _order(node: Mapping[str, Any]) -> str:
    """New nodes get names in the order in which they joined the cluster, and of their names in it."""
    return f"{objects.metadata(node).get('creationTimestamp', '')} {objects.api_name(node)}"


def _node(pool: PlannedPool, name: str, node: Mapping[str, Any]) -> contract.Node:
    machine = pool.machine
    return contract.Node(
        name=name, pool=pool.name, role="compute", machine=machine.key, gpus=machine.gpus, cpus=machine.known_cpus or 0,
        memory_mib=machine.known_memory_mib or 0, address=objects.address(node), ssh=NO_LOGIN,
        rails=[
            contract.Rail(index=rail, address="", mtu=machine.known_mtu or 0, rate_gbps=pool.node_gbps / pool.rails, nics=[])
            for rail in range(pool.rails)
        ],
        scalable_unit=0, identity=contract.Identity(kind="machine_id", value=objects.machine_id(node)),
        api_name=objects.api_name(node),
    )  # fmt: skip


def _checks(plan: ClusterPlan, place: KubernetesPlatform) -> contract.Checks | None:
    if place.checks is None:
        return None
    return contract.Checks(
        image=place.checks.image,
        namespace=checks_namespace(plan.name),
        priority_class=f"{plan.name}-interactive",
    )


def _bare(one: contract.NodeClass) -> contract.NodeClass:
    """Nodes of others get nothing: no roles, no packages, no boot line. The driver's version is kept: a claim expects it."""
    driver = {name: version for name, version in one.components.items() if name == "nvidia_driver"}
    return contract.NodeClass(name=one.name, groups=[], components=driver, packages={})
