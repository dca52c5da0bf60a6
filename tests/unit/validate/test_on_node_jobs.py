"""The on-node suite where nodes take no login: what a Job answers is judged as what a login answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import kube_api, kube_objects
from tests.unit.effects.test_check_jobs import CHECKS
from tests.unit.effects.test_node_jobs import RAN, SPACE

from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.errors import CommandError
from railbed.validate import on_node
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

GPUS = {
    "claim": "node.gpus",
    "verdict": "pass",
    "reason": "8 answer",
    "measured": 8,
    "unit": "GPUs",
    "expected": 8,
}


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Iterator[ValidationRun]:
    with kube_api.serving(tmp_path) as (cluster, kubeconfig):
        names = [f"gpu-{index}" for index in range(3)]
        cluster.add(
            *(kube_objects.node(name) for name in names[:2]), kube_objects.node(names[2], ready=False)
        )
        cluster.pod_of = lambda _: RAN
        for index, verdict in enumerate(("pass", "fail")):
            said = json.dumps([{**GPUS, "verdict": verdict, "parts": ["gpu 3"] if verdict == "fail" else []}])
            cluster.logs[f"{SPACE}/pods/checks-h100-{index}-x"] = f"constructed\nrailbed-records {said}\n"
        made = kube_objects.stack(contract, str(kubeconfig), kube_api.CONTEXT, names, checks=CHECKS)
        scope = select(made, pattern="node.gpus")
        made_run = ValidationRun(
            made, fake_remote(lambda *_: None), scope, Answers(scope), tmp_path, lambda _: None
        )
        made_run.gate = KubernetesScheduler(made)
        made_run.schedule = made_run.gate.nodes()
        yield made_run


def answered(run: ValidationRun) -> dict[str, Judged]:
    on_node.run(run)
    return {one.node: one for one in run.answers.complete()}


def test_each_node_has_its_own_answer(run: ValidationRun) -> None:
    found = answered(run)
    assert [one.verdict for one in found.values()] == [Verdict.PASS, Verdict.FAIL, Verdict.UNPROVEN]
    assert found["h100-0"].measured == 8 and found["h100-1"].detail["parts"] == ["gpu 3"]
    assert "constructed" in (run.folder / found["h100-0"].evidence).read_text()
    assert "not ready: Kubelet stopped posting node status." in found["h100-2"].reason, (
        "no Job waits for a dead kubelet"
    )


def test_a_log_of_something_else_is_unproven(run: ValidationRun) -> None:
    assert isinstance(run.gate, KubernetesScheduler)
    run.gate.api.request("DELETE", "/api/v1/nodes/gpu-1")
    run.schedule = run.gate.nodes()
    found = answered(run)
    assert (
        found["h100-1"].verdict is Verdict.UNPROVEN and "no node of its machine id" in found["h100-1"].reason
    )


def test_an_api_that_did_not_answer_is_not_asked_for_jobs(run: ValidationRun) -> None:
    run.gate = None
    with pytest.raises(CommandError, match="did not answer"):
        on_node.run(run)
