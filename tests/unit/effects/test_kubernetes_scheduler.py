"""What Kubernetes does beyond the conformance suite: eviction within budgets, leases, races, other clusters and machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import kube_api, kube_objects
from tests.unit.validate.conftest import contract

from railbed import servicing
from railbed.contract import Contract
from railbed.defaults import KUBERNETES_LEASE_S, KUBERNETES_TRIES
from railbed.effects.kubernetes import lease, objects
from railbed.effects.kubernetes.lease import MICRO
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import Busy, CommandError, UsageError
from railbed.operate import lifecycle, picture, retire, standing

__all__ = ["contract"]
NAMES = ["gpu-a", "gpu-b"]
LEASE = lease.path("railbed-pretrain", "node-h100-0")


class Site:
    def __init__(self, contract: Contract, cluster: kube_api.Cluster, kubeconfig: Path) -> None:
        self.contract, self.cluster, self.kubeconfig = contract, cluster, kubeconfig
        cluster.add(*(kube_objects.node(name) for name in NAMES))

    def scheduler(self, **more: Any) -> KubernetesScheduler:
        made = kube_objects.stack(self.contract, str(self.kubeconfig), kube_api.CONTEXT, NAMES, **more)
        return KubernetesScheduler(made)

    def pods(self) -> set[str]:
        return {path.rsplit("/", 1)[-1] for path in self.cluster.objects if "/pods/" in path}


@pytest.fixture
def site(contract: Contract, tmp_path: Path) -> Iterator[Site]:
    with kube_api.serving(tmp_path) as (cluster, kubeconfig):
        yield Site(contract, cluster, kubeconfig)


def test_a_drain_evicts_what_is_no_job_within_budgets(site: Site) -> None:
    pod = kube_objects.pod
    claiming = pod("claims", "gpu-a", owner="ReplicaSet/serve")
    claiming["spec"]["resourceClaims"] = [{"name": "gpu"}]
    site.cluster.add(
        pod("web", "gpu-a", owner="ReplicaSet/web"),
        pod("guarded", "gpu-a", owner="ReplicaSet/db"),
        pod("alone", "gpu-a"),
        pod("agent", "gpu-a", owner="DaemonSet/agent"),
        pod("static", "gpu-a", annotations={objects.MIRROR: "x"}),
        pod("train-0", "gpu-a", gpus=8, owner="Job/train"),
        pod("launcher", "gpu-a", owner="Job/mpi"),
        pod("notebook", "gpu-a", gpus=1),
        pod("ray-head", "gpu-a", owner="RayCluster/ray"),
        claiming,
        pod("done", "gpu-a", owner="ReplicaSet/x", phase="Succeeded"),
        pod("elsewhere", "gpu-b", owner="ReplicaSet/web"),
    )
    site.cluster.budgets = {
        "team-a/guarded": "Cannot evict pod as it would violate the pod's disruption budget."
    }
    left = site.scheduler().drain("h100-0", "why")
    assert site.pods() == {
        "guarded", "alone", "agent", "static", "train-0", "launcher", "notebook", "ray-head", "claims", "done", "elsewhere",
    }  # fmt: skip
    assert sorted(left) == [
        *(f"job team-a/{name} goes on to its end" for name in ("mpi", "notebook", "ray", "serve", "train")),
        "pod team-a/alone stays: nothing would make it again",
        "pod team-a/guarded stays: the Kubernetes API refuses: Cannot evict pod as it would violate the pod's disruption budget.",
    ]  # fmt: skip
    site.cluster.budgets = {}
    assert "guarded" not in " ".join(site.scheduler().drain("h100-0", "why")), (
        "again: what may go by now goes"
    )


def test_a_job_on_several_nodes_is_one_job(site: Site) -> None:
    pod = kube_objects.pod
    site.cluster.add(
        pod("train-0", "gpu-a", gpus=8, owner="Job/train"), pod("train-1", "gpu-b", gpus=8, owner="Job/train"),
        pod("waits", gpus=8, owner="Job/later"), pod("over", "others", gpus=8, owner="Job/other"),
    )  # fmt: skip
    found = {job.id: (job.user, job.state, job.nodes) for job in site.scheduler().jobs()}
    assert found == {
        "team-a/train": ("team-a", "RUNNING", ("h100-0", "h100-1")),
        "team-a/later": ("team-a", "PENDING", ()),
    }, "what runs on others' nodes is nobody's here"


def test_nodes_that_are_not_ready_tainted_or_other_machines(site: Site) -> None:
    site.cluster.add(
        kube_objects.node("gpu-a", ready=False),
        kube_objects.node("gpu-b", gpus=7, taints=[{"key": "vendor/maintenance", "effect": "NoSchedule"}]),
    )
    states = site.scheduler().nodes()
    assert not states["h100-0"].responding and "stopped posting" in states["h100-0"].reason
    assert states["h100-1"].gpus == 7 and not states["h100-1"].usable
    assert states["h100-1"].reason == "taint vendor/maintenance=:NoSchedule" and not states["h100-1"].drained
    site.cluster.add(kube_objects.node("gpu-b", machine="f" * 32))
    assert set(site.scheduler().nodes()) == {"h100-0"}, "another machine has the name"
    with pytest.raises(CommandError, match="machine id") as gone:
        site.scheduler().drain("h100-1", "why")
    assert gone.value.code == "NODE_UNKNOWN"
    assert "unschedulable" not in site.cluster.node("gpu-b")["spec"]


def test_nothing_is_done_to_another_cluster(site: Site) -> None:
    before = json.dumps(site.cluster.objects, sort_keys=True)
    other = site.scheduler(cluster_id="99999999-2222-3333-4444-555555555555")
    for act in (
        lambda: other.drain("h100-0", "x"),
        lambda: other.reserve(["h100-0"]),
        other.nodes,
        other.jobs,
    ):
        with pytest.raises(UsageError, match="another cluster") as refused:
            act()
        assert refused.value.code == "OTHER_CLUSTER"
    assert json.dumps(site.cluster.objects, sort_keys=True) == before


def test_taints_of_others_stay_and_a_race_is_won_or_said(site: Site) -> None:
    site.cluster.add(kube_objects.node("gpu-a", taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]))
    scheduler = site.scheduler()
    site.cluster.raced = 2
    scheduler.reserve(["h100-0"])
    assert [one["key"] for one in site.cluster.node("gpu-a")["spec"]["taints"]] == [
        "nvidia.com/gpu",
        "railbed/acceptance",
    ]
    scheduler.release(["h100-0"])
    assert [one["key"] for one in site.cluster.node("gpu-a")["spec"]["taints"]] == ["nvidia.com/gpu"]
    site.cluster.raced = KUBERNETES_TRIES
    with pytest.raises(CommandError, match="changes faster") as lost:
        scheduler.reserve(["h100-0"])
    assert lost.value.code == "NODE_RACE"


def test_without_a_gate_nodes_are_not_held(site: Site) -> None:
    scheduler = site.scheduler(gate=False)
    scheduler.reserve(["h100-0"])
    assert scheduler.reservations() == []
    scheduler.reserve(["h100-0"], "railbed-run")
    assert [(one.name, one.nodes) for one in scheduler.reservations()] == [("run", ("h100-0",))]


def test_a_lease_that_another_holds_stops_a_drain(site: Site) -> None:
    renewed = datetime.now(UTC)
    taken = {
        "metadata": {"name": "node-h100-0"},
        "spec": {"holderIdentity": "ada@ops/7", "acquireTime": renewed.strftime(MICRO), "renewTime": renewed.strftime(MICRO),
                 "leaseDurationSeconds": KUBERNETES_LEASE_S},
    }  # fmt: skip
    site.cluster.put(LEASE, taken)
    with pytest.raises(Busy, match="another operator") as locked:
        site.scheduler().drain("h100-0", "why")
    assert locked.value.code == "NODE_LOCKED" and "ada@ops/7" in locked.value.found
    assert "unschedulable" not in site.cluster.node("gpu-a")["spec"]
    site.scheduler().drain("h100-1", "another node's lock holds nobody up")
    taken["spec"]["renewTime"] = (renewed - timedelta(seconds=KUBERNETES_LEASE_S + 5)).strftime(MICRO)
    site.cluster.put(LEASE, taken)
    site.scheduler().drain("h100-0", "why")
    assert site.cluster.node("gpu-a")["spec"]["unschedulable"], "one that ran out is taken over"
    assert LEASE not in site.cluster.objects, "and given back"


def test_whose_lease_it_is() -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    fresh = {"holderIdentity": "a", "renewTime": now.strftime(MICRO), "leaseDurationSeconds": 60}
    assert not lease.free({"spec": fresh}, "b", now + timedelta(seconds=60))
    assert lease.free({"spec": fresh}, "b", now + timedelta(seconds=61))
    assert lease.free({"spec": fresh}, "a", now)
    assert lease.free({"spec": {**fresh, "holderIdentity": ""}}, "b", now)
    assert not lease.free({"spec": {**fresh, "renewTime": "yesterday"}}, "b", now), "unreadable is held"


def test_a_lock_without_its_namespace_says_what_makes_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = site.cluster.answer

    def no_namespace(verb: str, path: str, *rest: Any) -> Any:
        if verb == "POST" and path.endswith("/leases"):
            return 404, {"reason": "NotFound", "message": 'namespaces "railbed-pretrain" not found'}
        return real(verb, path, *rest)

    monkeypatch.setattr(site.cluster, "answer", no_namespace)
    with pytest.raises(CommandError, match="not there") as lacking:
        site.scheduler().drain("h100-0", "why")
    assert lacking.value.code == "NO_SYSTEM_NAMESPACE" and "railbed up" in lacking.value.hint


@pytest.mark.parametrize(
    ("text", "count"), [("8", 8), ("2k", 2000), ("0", 0), ("", 0), ("-1", 0), ("8.5", 0), (None, 0)]
)
def test_quantities(text: object, count: int) -> None:
    assert objects.count(text) == count


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (8, "8"), (1000, "1k"), (1500, "1500"), (8_000_000, "8M")]
)
def test_a_number_is_written_as_kubernetes_gives_it_back(count: int, text: str) -> None:
    assert objects.quantity(count) == text and objects.count(text) == count


@pytest.mark.parametrize(
    ("kind", "part", "resource"),
    [
        ("initContainers", "limits", "nvidia.com/gpu"), ("containers", "limits", "nvidia.com/mig-1g.10gb"),
        ("containers", "requests", "nvidia.com/gpu.shared"),
    ],
)  # fmt: skip
def test_whatever_holds_a_part_of_a_gpu_is_a_job(kind: str, part: str, resource: str) -> None:
    serving = kube_objects.pod("serve-0", "gpu-a", owner="ReplicaSet/serve")
    assert not objects.is_job(serving)
    serving["spec"].setdefault(kind, []).append({"name": "side", "resources": {part: {resource: "1"}}})
    assert objects.is_job(serving)
    serving["spec"][kind][-1]["resources"] = {part: {resource: "0", "cpu": "8"}}
    assert not objects.is_job(serving)


def test_a_persons_cordon_is_never_taken_for_railbeds(site: Site) -> None:
    scheduler = site.scheduler()
    scheduler.drain("h100-0", "fan")
    assert scheduler.nodes()["h100-0"].reason == "fan"
    site.cluster.cordon("gpu-a", wanted=False)
    site.cluster.cordon("gpu-a")
    assert objects.notes(site.cluster.node("gpu-a"))[objects.REASON] == "fan", (
        "what railbed wrote is still there"
    )
    assert scheduler.nodes()["h100-0"].reason == objects.CORDONED
    assert not scheduler.resume("h100-0", "fan")
    left = scheduler.drain("h100-0", "another fan")
    assert len(left) == 1 and "a person cordoned the node before" in left[0]
    assert scheduler.nodes()["h100-0"].reason == objects.CORDONED
    assert objects.notes(site.cluster.node("gpu-a")) == {}
    assert scheduler.drain("h100-1", "fan") == []


def test_notes_go_where_a_person_uncordoned_the_node(site: Site) -> None:
    scheduler = site.scheduler()
    scheduler.drain("h100-0", "fan")
    site.cluster.cordon("gpu-a", wanted=False)
    assert scheduler.resume("h100-0") and objects.notes(site.cluster.node("gpu-a")) == {}


def test_nodes_that_left_lose_the_stacks_taint_and_no_others(site: Site) -> None:
    taints = [{"key": "railbed/acceptance", "value": value, "effect": "NoSchedule"}
              for value in ("railbed-pretrain", "railbed-other")]  # fmt: skip
    site.cluster.add(
        kube_objects.node("former", taints=taints[:1], ready=False),
        kube_objects.node("anothers", taints=taints[1:]),
        kube_objects.node("gpu-b", machine="f" * 32, taints=taints[:1]),
    )
    scheduler = site.scheduler()
    scheduler.reserve(["h100-0"])
    site.cluster.cordon("former")
    assert scheduler.let_former_go() == ["former"], "it stays cordoned"
    left = {
        name: site.cluster.node(name)["spec"]["taints"] for name in ("former", "anothers", "gpu-a", "gpu-b")
    }
    assert left == {"former": [], "anothers": taints[1:], "gpu-a": taints[:1], "gpu-b": []}, (
        "gpu-b is another machine"
    )


def test_nodes_that_leave_lose_taint_and_notes_and_those_still_cordoned_are_named(site: Site) -> None:
    scheduler = site.scheduler()
    scheduler.reserve(["h100-0", "h100-1"])
    scheduler.drain("h100-0", "shrink")
    assert scheduler.let_go(["h100-0", "h100-1"]) == ["gpu-a"]
    for name in NAMES:
        one = site.cluster.node(name)
        assert (one["spec"]["taints"], objects.notes(one)) == ([], {})
    site.cluster.add(kube_objects.node("gpu-a", machine="f" * 32))
    assert scheduler.let_go(["h100-0"]) == [], "another machine is none of ours"


def test_a_lease_is_renewed_before_each_eviction(site: Site) -> None:
    pods = [kube_objects.pod(name, "gpu-a", owner="ReplicaSet/web") for name in ("one", "two")]
    site.cluster.add(*pods)
    real, seen = site.cluster.answer, []

    def slow(verb: str, path: str, query: dict[str, str], body: Any) -> Any:
        if path.endswith("/eviction"):
            now = site.cluster.objects[LEASE]
            seen.append(now["metadata"]["resourceVersion"])
            if len(seen) == 2:  # meanwhile it ran out, and another took it
                site.cluster.put(LEASE, {**now, "spec": {**now["spec"], "holderIdentity": "ada@ops/7"}})
        return real(verb, path, query, body)

    site.cluster.answer = slow  # type: ignore[method-assign]
    site.scheduler().drain("h100-0", "why")
    assert len(set(seen)) == 2
    assert site.cluster.objects[LEASE]["spec"]["holderIdentity"] == "ada@ops/7", "another's stays"
    with (
        pytest.raises(Busy, match="meanwhile") as lost,
        lease.acquired(site.scheduler().api, "railbed-pretrain", "h100-1") as held,
    ):
        at = lease.path("railbed-pretrain", "node-h100-1")
        site.cluster.put(at, site.cluster.objects[at])
        held.renew()
    assert lost.value.code == "NODE_LOCKED"


def test_a_machine_goes_back_to_its_vendor(site: Site, tmp_path: Path) -> None:
    work, scheduler = Workspace(tmp_path, "test"), site.scheduler()
    work.dir.mkdir(parents=True)
    made = kube_objects.stack(site.contract, str(site.kubeconfig), kube_api.CONTEXT, NAMES)
    with pytest.raises(UsageError, match="no such move"):
        retire.retire(made, work, "h100-0", scheduler, "ticket 7")
    servicing.drain(made, work, scheduler, "h100-0", "fan")
    retire.retire(made, work, "h100-0", scheduler, "ticket 7")
    seen = picture.take(made, work, scheduler)
    assert standing.of(made.node("h100-0"), seen).state is lifecycle.State.RMA
    assert "h100-0" in seen.reserved and seen.states["h100-0"].drained
