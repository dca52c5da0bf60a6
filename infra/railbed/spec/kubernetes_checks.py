"""What a spec of a Kubernetes cluster that is there already must hold."""

from __future__ import annotations

from railbed import catalog
from railbed.defaults import NAME_MAX
from railbed.errors import SpecError
from railbed.spec.cluster import ClusterSpec
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.problems import key_path
from railbed.text import few

RESERVED = ("default", "kube-")
"""Namespaces that are Kubernetes' own, or begin so (kubernetes.io, "Namespaces", initial namespaces)."""


def system_namespace(cluster: str) -> str:
    """Namespace of railbed's own objects for a cluster of that name."""
    return f"railbed-{cluster}"


def checks_namespace(cluster: str) -> str:
    """Namespace of the Jobs that check nodes: privileged pods, which railbed's own namespace refuses."""
    return f"{system_namespace(cluster)}-checks"


def check(spec: ClusterSpec, place: KubernetesPlatform, where: str) -> None:
    """Raises the first SpecError that the platform part deserves."""
    at = f"{where}.platform"
    pools = [pool.name for pool in spec.pools]
    if missing := sorted(set(pools) ^ set(place.selectors)):
        raise SpecError(
            f"pools and selectors do not go together: {few(missing)}", path=f"{at}.selectors",
            found=sorted(place.selectors), allowed=pools, hint="give each pool the labels of its nodes, and no others",
        )  # fmt: skip
    labels = [frozenset(one.items()) for one in place.selectors.values()]
    if any(a <= b for i, a in enumerate(labels) for j, b in enumerate(labels) if i != j):
        raise SpecError(
            "nodes of one pool would be another's too", path=f"{at}.selectors", found=sorted(place.selectors),
            allowed="labels that tell the pools apart", hint="add a label that only one of them has",
        )  # fmt: skip
    longest = checks_namespace if place.checks else system_namespace
    if len(longest(spec.name)) > NAME_MAX:
        raise SpecError(
            "the name is too long for a namespace of railbed's own", path=f"{where}.name", found=spec.name,
            allowed=f"≤ {NAME_MAX - len(longest(''))} characters", hint="choose a shorter name",
        )  # fmt: skip
    _tenants(spec, place, at)


def _tenants(spec: ClusterSpec, place: KubernetesPlatform, at: str) -> None:
    own = (system_namespace(spec.name), checks_namespace(spec.name))
    for name in place.tenants:
        if name in (*own, RESERVED[0]) or name.startswith(RESERVED[1]):
            raise SpecError(
                "the namespace is not a tenant's", path=key_path(at, ["tenants", name]), found=name,
                allowed=f"not {' or '.join(own)}, {RESERVED[0]}, or {RESERVED[1]}…", hint="choose another name",
            )  # fmt: skip
    gpus = sum(pool.nodes * catalog.load_machine(pool.machine).gpus for pool in spec.pools)
    for name, tenant in place.tenants.items():
        if tenant.gpus > gpus:
            raise SpecError(
                f"tenant {name} may ask for more GPUs than the pools have", code="SPEC_SUM",
                path=key_path(at, ["tenants", name, "gpus"]), found=tenant.gpus, allowed=f"≤ {gpus}",
                hint="a quota above it limits nothing",
            )  # fmt: skip
