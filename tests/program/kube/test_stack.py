"""`up`, `node` and `destroy` of a stack on a Kubernetes cluster: the real engine over stand-ins of provider and API server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support import kube_api, kube_stack
from tests.support.kube_objects import node, pod
from typer.testing import CliRunner

from railbed import flow, validate
from railbed.cli import main
from railbed.effects import acceptance, contract_store, schedulers
from railbed.effects.workspace import Workspace, cache_dir
from railbed.errors import RailbedError, Unsupported, UsageError

pytestmark = pytest.mark.engine
MADE = {
    "/api/v1/namespaces/railbed-pretrain-kube", "/api/v1/namespaces/team-a",
    "/api/v1/namespaces/railbed-pretrain-kube/serviceaccounts/operator",
    "/api/v1/namespaces/team-a/resourcequotas/gpus",
    "/apis/networking.k8s.io/v1/namespaces/railbed-pretrain-kube/networkpolicies/closed",
    "/apis/networking.k8s.io/v1/namespaces/team-a/networkpolicies/own-namespace",
    *(f"/apis/scheduling.k8s.io/v1/priorityclasses/pretrain-kube-{name}" for name in ("interactive", "training", "backfill")),
    *(f"/apis/rbac.authorization.k8s.io/v1/clusterrole{kind}s/railbed-pretrain-kube-operator" for kind in ("", "binding")),
    *(f"/apis/rbac.authorization.k8s.io/v1/namespaces/railbed-pretrain-kube/role{kind}s/operator" for kind in ("", "binding")),
    *(f"/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/role{kind}s/jobs" for kind in ("", "binding")),
}  # fmt: skip


@dataclass
class Site:
    cluster: kube_api.Cluster
    kubeconfig: Path
    work: Workspace
    said: list[str] = field(default_factory=list)

    def up(self, nodes: int = 3, **platform: Any) -> flow.UpResult:
        data = kube_stack.wanted(self.kubeconfig, nodes)
        data["platform"] |= platform
        kube_stack.write(self.work, data)
        self.said.clear()
        return flow.up(self.work, self.said.append)

    def railbed(self, *words: str) -> tuple[int, str]:
        said = CliRunner().invoke(main.assemble([*words]), [*words, "--stack", kube_stack.STACK])
        return said.exit_code, said.output

    def made(self) -> set[str]:
        """What is in the cluster beside its nodes, pods and own namespaces."""
        own = ("/nodes/", "/pods/", "/kube-system")
        return {path for path in self.cluster.objects if not any(word in path for word in own)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("kube")
    (folder / "api").mkdir()
    (folder / "checkout").mkdir()
    with (
        kube_api.serving(folder / "api") as (cluster, kubeconfig),
        kube_stack.checkout(folder / "checkout") as work,
    ):
        cluster.add(*(node(f"gpu-{index}") for index in range(3)))
        yield Site(cluster, kubeconfig, work)


def test_a_stack_is_made_and_proves_little(site: Site) -> None:
    done = site.up()
    assert site.made() == MADE
    assert str(done.report.verdict) == "unproven" and not done.report.certificate
    passed = [one.claim for one in done.report.claims if one.verdict == "pass"]
    assert passed == ["scheduler.state"]
    assert not site.work.certificate_file.exists() and done.missing == []
    contract = contract_store.load(site.work)
    assert [(one.name, one.api_name) for one in contract.nodes] == [
        (f"h100-{i}", f"gpu-{i}") for i in range(3)
    ]
    assert contract.kubernetes is not None and contract.kubernetes.kubeconfig == str(site.kubeconfig)
    assert kube_api.TOKEN not in site.work.contract_file.read_text()
    state = next((site.work.local / "state").rglob(f"{kube_stack.STACK}.json"))
    assert kube_api.TOKEN not in state.read_text(), "a reference to a file, and never what is in it"
    spaces = site.cluster.objects["/api/v1/namespaces/team-a"]["metadata"]["labels"]
    assert spaces["pod-security.kubernetes.io/enforce"] == "baseline"
    quota = site.cluster.objects["/api/v1/namespaces/team-a/resourcequotas/gpus"]
    assert quota["spec"]["hard"] == {"requests.nvidia.com/gpu": "8"}
    policies = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/{}"
    closed, own = (
        policies.format("railbed-pretrain-kube", "closed"),
        policies.format("team-a", "own-namespace"),
    )
    assert site.cluster.objects[closed]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert site.cluster.objects[own]["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_again_nothing_changes_and_drift_is_mended(site: Site) -> None:
    assert site.up().changes.total == 0
    quota = site.cluster.objects["/api/v1/namespaces/team-a/resourcequotas/gpus"]
    quota["spec"]["hard"]["requests.nvidia.com/gpu"] = "999"
    site.cluster.add(*(node(f"a-gpu-{index}") for index in range(30)))
    assert site.up(nodes=33, gate=True).changes.total == 1
    assert site.cluster.objects["/api/v1/namespaces/team-a/resourcequotas/gpus"]["spec"]["hard"] == {
        "requests.nvidia.com/gpu": "8"
    }
    assert site.made() == MADE, "objects do not grow with nodes"
    names = {one.api_name: one.name for one in contract_store.load(site.work).nodes}
    assert {names[f"gpu-{i}"] for i in range(3)} == {"h100-0", "h100-1", "h100-2"} and len(names) == 33
    with pytest.raises(UsageError, match="would leave") as busy:
        site.up(nodes=3)
    assert busy.value.code == "NOT_DRAINED"


def test_a_gate_opens_by_an_operators_word_and_nothing_is_certified(site: Site) -> None:
    contract = contract_store.load(site.work)
    taint = {"key": "railbed/acceptance", "value": "railbed-pretrain-kube", "effect": "NoSchedule"}
    assert all(site.cluster.node(one.api_name)["spec"]["taints"] == [taint] for one in contract.nodes)
    refused = validate.run(contract, site.work)
    assert str(refused.verdict) == "unproven" and site.cluster.node("gpu-0")["spec"]["taints"] == [taint]
    trusted = {one.id: "the site's own burn-in" for one in contract.claims if one.id != "scheduler.state"}
    report = validate.run(contract, site.work, accept=trusted)
    assert str(report.verdict) == "pass" and report.certificate == ""
    assert not site.work.certificate_file.exists()
    assert all(site.cluster.node(one.api_name)["spec"]["taints"] == [] for one in contract.nodes)
    acceptance.revoke(site.work, ["h100-0"])
    acceptance.hold(schedulers.of(site.work, contract), ["h100-0"])


def test_nodes_are_listed_drained_and_given_back(site: Site) -> None:
    site.cluster.add(
        pod("train-0", "gpu-1", gpus=8, owner="Job/train"), pod("web", "gpu-1", owner="ReplicaSet/web")
    )
    status, said = site.railbed("node", "drain", "h100-1", "--reason", "fan")
    assert status == 0 and "job team-a/train goes on to its end" in " ".join(said.split())
    assert not [path for path in site.cluster.objects if path.endswith("/web")]
    status, said = site.railbed("node", "list", "--json")
    listed = {one["name"]: one for one in json.loads(said)["nodes"]}
    assert listed["h100-1"]["state"] == "draining" and "fan" in listed["h100-1"]["reason"]
    assert listed["h100-1"]["jobs"] == ["team-a/train of team-a"]
    assert listed["h100-0"]["state"] == "validating" and "railbed-acceptance" in listed["h100-0"]["reason"]
    assert site.railbed("node", "resume", "h100-1")[0] == 0
    assert "unschedulable" not in site.cluster.node("gpu-1")["spec"]


def test_nodes_that_leave_lose_the_gate_and_what_stays_is_said(site: Site) -> None:
    named = {one.name: one.api_name for one in contract_store.load(site.work).nodes}
    acceptance.revoke(site.work, list(named))
    assert site.railbed("node", "drain", "h100-32", "--reason", "shrink")[0] == 0
    for leaving in ("h100-31", "h100-32"):
        site.cluster.node(named[leaving])["metadata"]["labels"] = {}
    site.cluster.node("gpu-2")["status"]["conditions"][0]["status"] = "Unknown"
    done = site.up(nodes=32, gate=True)
    assert [one.found for one in done.missing] == [31]
    gone, left = (site.cluster.node(named[name]) for name in ("h100-32", "h100-31"))
    assert (gone["spec"]["taints"], gone["metadata"]["annotations"], left["spec"]["taints"]) == ([], {}, [])
    assert any(f"`kubectl uncordon {named['h100-32']}`" in line for line in site.said)
    assert site.cluster.node("gpu-2")["spec"]["taints"], "one that is not ready stays the contract's"


@pytest.mark.parametrize(
    "words",
    [("node", "repair", "h100-1"), ("node", "settle"), ("node", "settle", "--yes"), ("converge",),
     ("upgrade", "--to", "2026.12")],
    ids=" ".join,
)  # fmt: skip
def test_what_needs_the_roles_is_refused(site: Site, words: tuple[str, ...]) -> None:
    with pytest.raises(Unsupported, match="a run of the roles"):
        CliRunner().invoke(
            main.assemble([*words]), [*words, "--stack", kube_stack.STACK], catch_exceptions=False
        )


def test_a_destroy_waits_for_jobs_and_leaves_what_is_not_its_own(site: Site) -> None:
    status, said = site.railbed("destroy")
    words = " ".join(said.split())
    assert status == 0 and "jobs go on" in words and "they stay" in words
    assert (
        "tenants team-a: quotas, network policies, roles and role bindings go; the namespaces stay, open"
        in words
    )
    with pytest.raises(UsageError, match=r"jobs run .* network policies"):
        flow.destroy(site.work, lambda _: None)
    site.cluster.objects = {path: one for path, one in site.cluster.objects.items() if "/pods/" not in path}
    flow.destroy(site.work, lambda _: None)
    assert site.made() == {"/api/v1/namespaces/team-a"}, "a tenant's namespace stays with what is in it"
    assert not any(
        one["spec"].get("taints") for path, one in site.cluster.objects.items() if "/nodes/" in path
    )


def test_up_after_a_destroy_takes_the_tenants_namespace_again_and_no_others(site: Site) -> None:
    priority = "/apis/scheduling.k8s.io/v1/priorityclasses/pretrain-kube-training"
    site.cluster.put(priority, {"metadata": {"name": "pretrain-kube-training"}})
    with pytest.raises(RailbedError, match="AlreadyExists"):
        site.up()
    assert "value" not in site.cluster.objects.pop(priority), "somebody else's object stays as it was"
    site.up()
    assert site.made() == MADE


def test_another_operators_home_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_dir().parent))
    homes = [site.work.root / name for name in ("ada", "bob")]
    for home in homes:
        home.mkdir()
        shutil.copy(site.kubeconfig, home / "config")
    before = versions(site)
    monkeypatch.setenv("HOME", str(homes[0]))
    site.up(kubeconfig="~/config")
    assert versions(site) == before, "another path leads to the same cluster: nothing is made anew"
    monkeypatch.setenv("HOME", str(homes[1]))
    assert site.up(kubeconfig="~/config").changes.total == 0
    state = next((site.work.local / "state").rglob(f"{kube_stack.STACK}.json")).read_text()
    assert not [home for home in homes if str(home) in state] and "~/config" in state


def versions(site: Site) -> dict[str, str]:
    """Of what railbed made, but nodes' leases."""
    return {path: site.cluster.objects[path]["metadata"]["resourceVersion"] for path in site.made()}
