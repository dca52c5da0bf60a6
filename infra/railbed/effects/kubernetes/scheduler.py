"""Kubernetes as the scheduler of a stack: states, jobs, drain, resume, reservations. Never ends a job, nor breaks a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, KUBERNETES_TRIES
from railbed.effects.journal import now_iso
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes import lease, objects
from railbed.effects.kubernetes.api import CONFLICT, GONE, TOO_MANY, Api, ApiError, Object
from railbed.errors import CommandError, ContractError, UsageError
from railbed.parse.slurm import Job, NodeState, Reservation

ALIVE = "status.phase!=Succeeded,status.phase!=Failed"
NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
THEIRS = (
    "a person cordoned the node before: that stays theirs, and the reason given here is not kept at the node"
)


class KubernetesScheduler:
    """The scheduler of one stack. Names are the contract's. Raises CommandError where the API does not answer."""

    def __init__(self, contract: Contract, api: Api | None = None) -> None:
        place = contract.kubernetes
        if place is None:
            raise ContractError(
                f"stack {contract.stack} has no Kubernetes API", code="NO_SCHEDULER", found=contract.scheduler,
                allowed="kubernetes",
            )  # fmt: skip
        self.place = place
        self.api = api or apis.opened(place.kubeconfig, place.context)
        self._api_names = {node.name: node.api_name for node in contract.nodes}
        self._names = {node.api_name: node.name for node in contract.nodes}
        self._ids = {node.name: node.identity.value for node in contract.nodes}
        self._same = False

    def _here(self) -> Api:
        """The API, once it has shown to be the contract's cluster: a context's name may stand for another one by now."""
        if not self._same:
            found = apis.cluster_id(self.api)
            if found != self.place.cluster_id:
                raise UsageError(
                    "the context leads to another cluster than the one of the contract", code="OTHER_CLUSTER",
                    path=self.api.where, found=found, allowed=self.place.cluster_id,
                    hint="mend the kubeconfig, or name the right context in the spec and run `railbed up`",
                )  # fmt: skip
            self._same = True
        return self.api

    def nodes(self) -> dict[str, NodeState]:
        """Every node of the contract that the API has, by name. One with another machine id is another machine: absent."""
        busy = {name for job in self.jobs() for name in job.nodes}
        found = {}
        for one in self._here().items(NODES):
            name = self._names.get(objects.api_name(one))
            if name is not None and self._is_ours(one):
                found[name] = objects.state(one, name, busy=name in busy, known=self.place.taints)
        return found

    def jobs(self, node: str | None = None) -> list[Job]:
        """Jobs that hold, or wait for, nodes; with ``node`` those that hold it. A pod by itself that holds GPUs is one too."""
        return objects.jobs(self._pods(node), self._names)

    def _pods(self, node: str | None = None) -> list[Object]:
        where = f",spec.nodeName={self._api_names[node]}" if node else ""
        return list(self._here().items(PODS, fieldSelector=ALIVE + where))

    def drain(self, node: str, reason: str) -> list[str]:
        """Cordons the node, then evicts what is no job, as far as disruption budgets let it go. Gives what stays, and why."""
        with lease.acquired(self._here(), self.place.namespace, node) as held:
            self._change(node, lambda one: _cordoned(one, reason))
            left = [] if objects.by_railbed(self._read(node)) else [THEIRS]
            for pod in self._pods(node):
                if objects.is_job(pod):
                    left.append(f"job {objects.job_of(pod)} goes on to its end")
                elif not objects.bound_to_node(pod):
                    held.renew()
                    left += filter(None, [self._evict(pod)])
        return list(dict.fromkeys(left))

    def _evict(self, pod: Object) -> str:
        """Why the pod stays; empty where it goes."""
        said = objects.metadata(pod)
        if not objects.owner(pod):
            return f"pod {objects.pod_name(pod)} stays: nothing would make it again"
        path = f"/api/v1/namespaces/{apis.name(str(said['namespace']))}/pods/{apis.name(objects.api_name(pod))}/eviction"
        body = {
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": objects.api_name(pod), "namespace": said["namespace"]},
            "deleteOptions": {"preconditions": {"uid": said.get("uid")}},
        }  # fmt: skip
        try:
            self.api.request("POST", path, body=body)
        except ApiError as refused:
            if refused.status in (GONE, CONFLICT):  # it ended meanwhile, or another of its name is there
                return ""
            if refused.status == TOO_MANY:
                return f"pod {objects.pod_name(pod)} stays: {refused.message}"
            raise
        return ""

    def resume(self, node: str, reason: str | None = None) -> bool:
        """Gives the node back; one that is not drained stays as it is.

        With ``reason`` only where its drain still has that one: False, and nothing is done, where it is another's by now.
        """
        with lease.acquired(self._here(), self.place.namespace, node):
            now = self._read(node)
            state = objects.state(now, node, busy=False, known=self.place.taints)
            if not state.drained:
                self._change(node, _unnoted)
                return True
            if reason is not None and state.reason != reason:
                return False
            self._change(node, _given_back)
        return True

    def reservation(self, name: str = ACCEPTANCE_RESERVATION) -> Reservation | None:
        """The reservation of that name, or None."""
        return next((one for one in self.reservations() if one.name == name), None)

    def reservations(self) -> list[Reservation]:
        """All of them: nodes whose taint of that name keeps pods away that do not tolerate it."""
        found: dict[str, list[str]] = {}
        for one in self._here().items(NODES):
            name = self._names.get(objects.api_name(one))
            for reserved in objects.reservations(one) if name else ():
                found.setdefault(reserved, []).append(str(name))
        return [Reservation(name, tuple(sorted(of)), (), frozenset()) for name, of in sorted(found.items())]

    def reserve(self, nodes: Iterable[str], name: str = ACCEPTANCE_RESERVATION) -> None:
        """Taints nodes, so that no new pod comes; running ones stay. Without a gate in the spec none gets the acceptance one."""
        if name == ACCEPTANCE_RESERVATION and not self.place.gate:
            return
        taint = {"key": objects.taint_key(name), "value": self.place.namespace, "effect": "NoSchedule"}
        for node in sorted(set(nodes)):
            self._change(node, lambda one: _tainted(one, taint))

    def release(self, nodes: Iterable[str], name: str = ACCEPTANCE_RESERVATION) -> None:
        """Takes the taint away; a node that the API does not have any more has none."""
        key = objects.taint_key(name)
        for node in sorted(set(nodes)):
            try:
                self._change(node, lambda one: _untainted(one, key))
            except CommandError as gone:
                if gone.code != "NODE_UNKNOWN":
                    raise

    def let_go(self, nodes: Iterable[str]) -> list[str]:
        """Takes all of the stack's taints and notes from nodes that leave it. Gives the cordoned ones, by the API's names."""
        wanted = set(nodes)
        return self._free(lambda one: self._is_ours(one) and self._names[objects.api_name(one)] in wanted)

    def let_former_go(self) -> list[str]:
        """The same for nodes that carry the stack's mark and are not the contract's any more.

        A node may leave without a shrink: it lost its pool's labels, or another machine has its name.
        """
        return self._free(lambda one: objects.marked(one, self.place.namespace) and not self._is_ours(one))

    def _free(self, which: Callable[[Object], bool]) -> list[str]:
        leaving = [one for one in self._here().items(NODES) if which(one)]
        for one in leaving:
            if self._left(one):
                name = objects.api_name(one)
                self._write(name, partial(self._found, name), self._left)
        return sorted(objects.api_name(one) for one in leaving if objects.cordoned(one))

    def _is_ours(self, node: Object) -> bool:
        name = self._names.get(objects.api_name(node))
        return name is not None and objects.machine_id(node) == self._ids[name]

    def _left(self, node: Object) -> Object | None:
        patch = _unnoted(node) or {}
        if objects.marked(node, self.place.namespace):
            patch["spec"] = {"taints": objects.without(node, self.place.namespace)}
        return patch or None

    def _found(self, api_name: str) -> Object:
        return self._here().get(f"{NODES}/{apis.name(api_name)}") or {}

    def _read(self, node: str) -> Object:
        found = self._found(self._api_names[node])
        if not self._is_ours(found):
            raise CommandError(
                f"the cluster has no node {self._api_names[node]} with the machine id of {node}", code="NODE_UNKNOWN",
                path=self.api.where, found=objects.machine_id(found) if found else None, allowed=self._ids[node],
                hint="run `railbed up`: it looks which nodes there are",
            )  # fmt: skip
        return found

    def _change(self, node: str, wanted: Callable[[Object], Object | None]) -> None:
        self._write(self._api_names[node], lambda: self._read(node), wanted)

    def _write(
        self, node: str, read: Callable[[], Object], wanted: Callable[[Object], Object | None]
    ) -> None:
        """Writes what ``wanted`` makes of the node as it is (None: nothing), and again where others changed it meanwhile."""
        for _ in range(KUBERNETES_TRIES):
            now = read()
            patch = wanted(now)
            if patch is None:
                return
            patch.setdefault("metadata", {})["resourceVersion"] = now["metadata"]["resourceVersion"]
            try:
                self.api.merge(f"{NODES}/{apis.name(node)}", patch)
            except ApiError as raced:
                if raced.status != CONFLICT:
                    raise
            else:
                return
        raise CommandError(
            f"{node} changes faster than it can be written ({KUBERNETES_TRIES} times)", code="NODE_RACE",
            hint="run the same command again",
        )  # fmt: skip


def _cordoned(node: Object, reason: str) -> Object | None:
    """A person's cordon stays that person's; notes of an earlier drain would say otherwise."""
    if objects.cordoned(node) and not objects.by_railbed(node):
        return _unnoted(node)
    return {
        "metadata": {"annotations": {objects.REASON: reason, objects.SINCE: now_iso()}},
        "spec": {"unschedulable": True},
    }


def _unnoted(node: Object) -> Object | None:
    """Without what railbed wrote of a drain."""
    there = [key for key in (objects.REASON, objects.SINCE) if key in objects.notes(node)]
    return {"metadata": {"annotations": dict.fromkeys(there)}} if there else None


def _given_back(_: Object) -> Object:
    return {
        "metadata": {"annotations": {objects.REASON: None, objects.SINCE: None}},
        "spec": {"unschedulable": None},
    }


def _tainted(node: Object, taint: dict[str, str]) -> Object | None:
    there = objects.taints(node)
    return None if any(one["key"] == taint["key"] for one in there) else {"spec": {"taints": [*there, taint]}}


def _untainted(node: Object, key: str) -> Object | None:
    there = objects.taints(node)
    left = [one for one in there if one["key"] != key]
    return {"spec": {"taints": left}} if len(left) < len(there) else None
