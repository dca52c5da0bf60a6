"""Nodes and pods as the Kubernetes API gives them, read into what a scheduler says of nodes and jobs. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from railbed.defaults import (
    ACCEPTANCE_RESERVATION,
    KUBERNETES_FIELD_MANAGER,
    KUBERNETES_PREFIX,
    PARTITION,
)
from railbed.parse.slurm import Job, NodeState
from railbed.text import shown

Object = Mapping[str, Any]
GPU = "nvidia.com/gpu"
VENDOR = "nvidia.com/"
"""Begins every resource of a GPU or a part of one: ``gpu.shared``, ``mig-1g.10gb`` (NVIDIA/k8s-device-plugin, README)."""
REASON, SINCE = f"{KUBERNETES_PREFIX}/drain-reason", f"{KUBERNETES_PREFIX}/drained-at"
"""Annotations of a node that railbed drained."""
CORDON = "node.kubernetes.io/unschedulable"
"""Taint that the node controller adds to a cordoned node (kubernetes.io, "Well-Known Labels, Annotations and Taints")."""
CONDITIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""Taints that the node controller keeps while a node is not ready: the state DOWN says the same."""
KEEPS_PODS_AWAY = ("NoSchedule", "NoExecute")
MIRROR = "kubernetes.io/config.mirror"
REPLACED_BY = ("ReplicaSet", "StatefulSet", "ReplicationController")
"""Makers that put another pod in the place of one that is evicted, and lose nothing by it. A Job, or a cluster of Ray, does."""
CORDONED = "cordoned, not by railbed"
_UNITS = {"": 1, "k": 1000, "M": 10**6, "G": 10**9}


def count(quantity: object) -> int:
    """Whole number of a resource quantity (``8``, ``2k``); 0 for anything else."""
    found = re.fullmatch(r"([0-9]{1,12})([kMG]?)", str(quantity))
    return int(found[1]) * _UNITS[found[2]] if found else 0


def quantity(count: int) -> str:
    """A whole number as Kubernetes writes it: ``8``, ``2k``. Any other way reads back as another's change of it.

    apimachinery, pkg/api/resource/quantity.go: the canonical form has the largest suffix that leaves no fraction.
    """
    fits = (f"{count // unit}{suffix}" for suffix, unit in reversed(_UNITS.items()) if count % unit == 0)
    return next(fits) if count else "0"


def metadata(one: Object) -> Mapping[str, Any]:
    return one.get("metadata") or {}


def api_name(one: Object) -> str:
    return str(metadata(one).get("name", ""))


def labels(one: Object) -> Mapping[str, str]:
    return metadata(one).get("labels") or {}


def notes(one: Object) -> Mapping[str, str]:
    """Its annotations."""
    return metadata(one).get("annotations") or {}


def taints(node: Object) -> list[dict[str, str]]:
    return [dict(one) for one in (node.get("spec") or {}).get("taints") or []]


def offers(node: Object, resource: str) -> int:
    """How much of a resource the node offers to pods (allocatable)."""
    return count(((node.get("status") or {}).get("allocatable") or {}).get(resource, 0))


def machine_id(node: Object) -> str:
    """``/etc/machine-id`` of the node, as its kubelet read it; empty where it did not."""
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("machineID", "")).replace("-", "")


def address(node: Object) -> str:
    """The first internal IPv4 address; empty where there is none."""
    found = [
        str(one.get("address", ""))
        for one in (node.get("status") or {}).get("addresses") or []
        if one.get("type") == "InternalIP"
    ]
    return next((one for one in found if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", one)), "")


def readiness(node: Object) -> tuple[bool, str, str]:
    """Whether the node's kubelet says that it is ready; the words and time of the condition."""
    for one in (node.get("status") or {}).get("conditions") or []:
        if one.get("type") == "Ready":
            words = shown(str(one.get("message") or one.get("reason") or ""))
            return one.get("status") == "True", words, str(one.get("lastTransitionTime") or "")
    return False, "its kubelet never reported", ""


def foreign(node: Object, known: Collection[str]) -> list[str]:
    """Taints that keep pods away, as kubectl writes them; without railbed's, Kubernetes' own of a state, and ``known`` keys."""
    return [
        f"{one['key']}={one.get('value', '')}:{one['effect']}"
        for one in taints(node)
        if one.get("effect") in KEEPS_PODS_AWAY
        and one.get("key") not in (*known, CORDON, *CONDITIONS)
        and not str(one.get("key")).startswith(f"{KUBERNETES_PREFIX}/")
    ]


def taint_key(reservation: str) -> str:
    """Key of the taint that stands for a reservation: ``railbed/acceptance``."""
    return f"{KUBERNETES_PREFIX}/{reservation.removeprefix(f'{KUBERNETES_PREFIX}-')}"


def reservations(node: Object) -> list[str]:
    """Names of the reservations that the node is in."""
    gate = taint_key(ACCEPTANCE_RESERVATION)
    keys = [str(one.get("key")) for one in taints(node)]
    ours = [key for key in keys if key.startswith(f"{KUBERNETES_PREFIX}/")]
    return [ACCEPTANCE_RESERVATION if key == gate else key.partition("/")[2] for key in ours]


def marked(node: Object, mark: str) -> bool:
    """Whether a stack's taint is on the node; ``mark``: the stack's namespace."""
    return any(_by(one, mark) for one in taints(node))


def _by(taint: Object, mark: str) -> bool:
    return str(taint.get("key")).startswith(f"{KUBERNETES_PREFIX}/") and taint.get("value") == mark


def without(node: Object, mark: str) -> list[dict[str, str]]:
    """The node's taints but those of the stack with that mark."""
    return [one for one in taints(node) if not _by(one, mark)]


def cordoned(node: Object) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))


def by_railbed(node: Object) -> bool:
    """Whether railbed set the node's cordon: the API server keeps who last changed each field (kubernetes.io, "Server-Side
    Apply", field management). Annotations alone do not say so: they stay when a person uncordons the node and cordons it
    again."""
    return any(
        one.get("manager") == KUBERNETES_FIELD_MANAGER
        and "f:unschedulable" in ((one.get("fieldsV1") or {}).get("f:spec") or {})
        for one in metadata(node).get("managedFields") or []
    )


def state(node: Object, name: str, *, busy: bool, known: Collection[str]) -> NodeState:
    """The node under its name in the contract. ``busy``: jobs hold it; ``known``: keys of the site's own taints."""
    ready, words, since = readiness(node)
    strange = foreign(node, known)
    flags = {"DRAIN"} if cordoned(node) else set()
    reason, at = "", ""
    if strange:
        flags.add("TAINTED")
        reason = f"taint {', '.join(strange)}"
    if not ready:
        reason, at = f"not ready: {words}", since
    if cordoned(node):
        said = notes(node) if by_railbed(node) else {}
        reason, at = shown(said.get(REASON, CORDONED)), said.get(SINCE, "")
    return NodeState(
        name=name, base=("ALLOCATED" if busy else "IDLE") if ready else "DOWN", flags=frozenset(flags),
        gres=f"gpu:{offers(node, GPU)}", partitions=(PARTITION,), reason=reason, reason_at=at,
    )  # fmt: skip


def owner(pod: Object) -> Mapping[str, Any]:
    """What made the pod and would make it again; empty where nothing would."""
    found = [one for one in metadata(pod).get("ownerReferences") or [] if one.get("controller")]
    return found[0] if found else {}


def holds_gpus(pod: Object) -> bool:
    """Whether any container, an init container or sidecar too, holds GPUs or parts of them: the pod keeps them to its end."""
    spec = pod.get("spec") or {}
    asked = [
        resource
        for kind in ("containers", "initContainers")
        for container in spec.get(kind) or []
        for part in ("limits", "requests")
        for resource in ((container.get("resources") or {}).get(part) or {}).items()
    ]
    return any(name.startswith(VENDOR) and str(quantity) != "0" for name, quantity in asked)


def bound_to_node(pod: Object) -> bool:
    """Whether the pod belongs to its node: a DaemonSet's, or the kubelet's own. It neither counts nor moves."""
    return owner(pod).get("kind") in ("DaemonSet", "Node") or MIRROR in notes(pod)


def over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_job(pod: Object) -> bool:
    """Whether ending the pod may end somebody's work: it holds GPUs or claims devices, or its maker may not replace it."""
    if bound_to_node(pod) or over(pod):
        return False
    claims = bool((pod.get("spec") or {}).get("resourceClaims"))
    return holds_gpus(pod) or claims or owner(pod).get("kind", REPLACED_BY[0]) not in REPLACED_BY


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))


def pod_name(pod: Object) -> str:
    """``namespace/name``."""
    return f"{metadata(pod).get('namespace', '')}/{api_name(pod)}"


def job_of(pod: Object) -> str:
    """``namespace/name`` of the Job that the pod belongs to, of what else made it, or of the pod itself."""
    return f"{metadata(pod).get('namespace', '')}/{owner(pod).get('name') or api_name(pod)}"


def jobs(pods: Iterable[Object], names: Mapping[str, str]) -> list[Job]:
    """Jobs that hold or wait for nodes. ``names``: node's name at the API → in the contract; others are nobody's here."""
    found: dict[str, list[Object]] = {}
    for pod in pods:
        if is_job(pod):
            found.setdefault(job_of(pod), []).append(pod)
    listed = []
    for job, members in found.items():
        placed = {node_of(pod) for pod in members} - {""}
        nodes = tuple(sorted({names[one] for one in placed if one in names}))
        if placed and not nodes:
            continue
        namespace, _, name = job.partition("/")
        state = "RUNNING" if nodes else "PENDING"
        listed.append(Job(id=shown(job), user=shown(namespace), name=shown(name), state=state, nodes=nodes))
    return listed
