"""The gate, and the Jobs that check nodes, on a real control plane. KWOK runs no program: what a pod printed, the test says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kube import logs
from tests.kube.cluster import Cluster
from tests.kube.site import CHECKS, SPACE, Site
from tests.support import kube_api, kube_stack
from tests.support.kube_objects import machine_id

from railbed import flow, validate
from railbed.claims import Judged, Verdict
from railbed.effects import contract_store
from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes import lease, node_jobs
from railbed.effects.kubernetes.api import ApiError
from railbed.validate.records import Report

pytestmark = pytest.mark.engine
API_NAMES = [f"checked-{index}" for index in range(3)]
IMAGE = f"registry.example/site/checks@sha256:{'0' * 64}"
JOBS = f"/apis/batch/v1/namespaces/{CHECKS}/jobs"
FOREIGN = {"key": "nvidia.com/gpu", "value": "maintenance", "effect": "NoSchedule"}
ASKED = (
    "node.gpus", "node.driver", "node.persistence", "node.clocks", "node.nvlink", "node.xid", "node.pcie", "node.aer",
    "node.memory",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    cluster.add_nodes(*API_NAMES)
    with kube_stack.checkout(tmp_path_factory.mktemp("checkout")) as work:
        yield Site(cluster, work, API_NAMES)


def prints(site: Site, api_name: str, **other: str) -> None:
    """All pods of checks print from now on what a sound node of that name would; ``other``: claim → verdict. Constructed."""
    records = [
        {
            "claim": claim,
            "verdict": other.get(claim.replace(".", "_"), "pass"),
            "reason": "constructed for a test",
        }
        for claim in ASKED
    ]
    shown = {"machine_id": machine_id(api_name), "dmi": {}, "cards": [], "gpus": None}
    records.append({"claim": "node.identity", "verdict": "unproven", "shown": shown})
    logs.write(site.cluster.plane.log, f"constructed\n\nrailbed-records {json.dumps(records)}\n")


def validated(site: Site, api_name: str) -> Report:
    """One node, whose claims that this release does not measure on Kubernetes its operator accepts."""
    contract = contract_store.load(site.work)
    accepted = {one.id: "the site's own burn-in" for one in contract.claims if one.unmeasured}
    return validate.run(contract, site.work, only=[site.names()[api_name]], accept=accepted)


def of(report: Report, claim: str) -> Judged:
    (found,) = [one for one in report.claims if one.claim == claim]
    return found


def test_up_asks_every_node_and_takes_silence_for_no_answer(site: Site) -> None:
    done = site.up(checks={"image": IMAGE})
    assert str(done.report.verdict) == "unproven" and site.gated() == API_NAMES
    silent = [one for one in done.report.claims if one.claim in (*ASKED, "node.identity")]
    assert len(silent) == len(API_NAMES) * (len(ASKED) + 1)
    assert {one.verdict for one in silent} == {Verdict.UNPROVEN}
    assert all("printed nothing" in one.reason for one in silent), silent[0].reason
    placed = [words.split() for words in site.cluster.events(CHECKS, "Scheduled")]
    where = {words[2].partition("/")[2].rpartition("-")[0]: words[-1] for words in placed}
    assert where == {f"checks-{name}": api_name for api_name, name in site.names().items()}
    maps = site.cluster.api.items(f"/api/v1/namespaces/{CHECKS}/configmaps")
    assert list(site.cluster.api.items(JOBS)) == []
    assert [one["metadata"]["name"] for one in maps] == ["kube-root-ca.crt"]
    assert site.up(checks={"image": IMAGE}).changes.total == 0


def test_a_node_that_passes_loses_the_gate_and_nobody_elses_taint(site: Site) -> None:
    node = site.cluster.node("checked-0")
    taints = [*node["spec"]["taints"], FOREIGN]
    site.cluster.api.merge("/api/v1/nodes/checked-0", {"spec": {"taints": taints}})
    prints(site, "checked-0")
    report = validated(site, "checked-0")
    assert str(report.verdict) == "pass", [one.reason for one in report.open_claims]
    assert site.gated() == ["checked-1", "checked-2"]
    assert site.cluster.node("checked-0")["spec"]["taints"] == [FOREIGN]
    assert report.certificate == ""


def test_a_node_with_a_bad_part_stays_gated_and_is_blamed(site: Site) -> None:
    prints(site, "checked-1", node_gpus="fail")
    report = validated(site, "checked-1")
    assert str(report.verdict) == "fail" and of(report, "node.gpus").reason == "constructed for a test"
    assert [one.node for one in report.culprits] == [site.names()["checked-1"]]
    assert "checked-1" in site.gated()


def test_another_machine_than_the_contracts_stays_gated(site: Site) -> None:
    prints(site, "checked-0")
    report = validated(site, "checked-1")
    assert of(report, "node.identity").verdict is Verdict.FAIL and "checked-1" in site.gated()


def test_a_node_that_another_operator_has_locked_is_not_asked(site: Site) -> None:
    prints(site, "checked-1")
    with lease.acquired(site.cluster.api, SPACE, site.names()["checked-1"], "ada@desk/7"):
        locked = of(validated(site, "checked-1"), "node.gpus")
    assert locked.verdict is Verdict.UNPROVEN and "ada@desk/7" in locked.reason
    assert "checked-1" in site.gated()


def test_a_pod_without_a_place_is_unproven_in_the_schedulers_words(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_jobs, "KUBERNETES_PLACE_S", 5.0)
    site.cluster.api.request(
        "PATCH", "/api/v1/nodes/checked-2/status", body={"status": {"allocatable": {"cpu": "0"}}},
        kind="application/merge-patch+json",
    )  # fmt: skip
    prints(site, "checked-2")
    pending = of(validated(site, "checked-2"), "node.gpus")
    assert pending.verdict is Verdict.UNPROVEN and "Insufficient cpu" in pending.reason, pending.reason
    assert list(site.cluster.api.items(JOBS)) == []


def test_who_may_check_nodes_is_apart_from_who_may_drain_them(site: Site, tmp_path: Path) -> None:
    def asks(account: Path) -> dict[str, Any]:
        return apis.opened(str(account), kube_api.CONTEXT).request("GET", JOBS)

    assert asks(site.account(tmp_path, "validator", CHECKS))["items"] == []
    with pytest.raises(ApiError, match="does not let this user"):
        asks(site.account(tmp_path))


def test_a_destroy_leaves_nothing_of_it(site: Site) -> None:
    flow.destroy(site.work, site.said.append)
    assert site.left() == [] and site.gated() == []
    assert site.cluster.node("checked-0")["spec"]["taints"] == [FOREIGN]
