"""The Job that asks a node: what it runs, what its pod says of itself, and what a log of it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from railbed import contract
from railbed.effects import node_bundle
from railbed.effects.kubernetes import check_jobs
from railbed.effects.kubernetes.check_jobs import Stand, stand

CHECKS = contract.Checks(
    image=f"registry.example/checks@sha256:{'0' * 64}",
    namespace="railbed-a-checks",
    priority_class="a-interactive",
)
NO_PLACE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes: too few cpu.",
}
WAITS = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}


def container(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "checks", "state": state}]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"phase": "Pending", "conditions": [NO_PLACE]},
         Stand("the scheduler finds no place: 0/1 nodes: too few cpu.", stuck=True)),
        ({"phase": "Pending", "containerStatuses": container(WAITS)},
         Stand("its pod has not begun: ImagePullBackOff: no such image", stuck=True)),
        ({"phase": "Pending", "containerStatuses": container({"waiting": {"reason": "ContainerCreating"}})},
         Stand("its pod has not begun: ContainerCreating")),
        ({"phase": "Pending"}, Stand("its pod has not begun: its kubelet has not reported")),
        ({"phase": "Running"}, Stand()),
        ({"phase": "Succeeded", "containerStatuses": container({"terminated": {"exitCode": 0}})}, Stand(over=True, status=0)),
        ({"phase": "Failed", "containerStatuses": container({"terminated": {"exitCode": 4}})}, Stand(over=True, status=4)),
        ({"phase": "Failed", "reason": "Evicted"}, Stand(over=True)),
    ],
)  # fmt: skip
def test_a_pod_says_how_far_it_is(status: dict[str, Any], said: Stand) -> None:
    assert stand({"metadata": {}, "status": status}) == said


def test_a_job_without_a_pod_has_not_begun() -> None:
    assert stand(None).waits == "the Job has no pod yet"


def test_the_job_is_of_one_node_and_takes_no_gpu() -> None:
    made = check_jobs.job("checks-n0", "a", "n0.site", CHECKS, "suite-1", "e30=", 60)
    pod = made["spec"]["template"]["spec"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n0.site"]}]}
    assert "nodeName" not in pod, "the scheduler places it, and says why it cannot"
    assert not [name for name in pod["containers"][0]["resources"]["limits"] if "nvidia" in name]
    assert made["spec"]["backoffLimit"] == 0 and pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("log", "found"),
    [
        ('1 passed\n\nrailbed-records [{"claim": "node.gpus"}]\n', '[{"claim": "node.gpus"}]'),
        ("railbed-records [1]\nrailbed-records [2]\n", "[2]"),
        ("nsenter: not found\n", ""),
        ("", ""),
    ],
)
def test_records_are_found_among_all_else(log: str, found: str) -> None:
    assert check_jobs.records(log) == found


def test_what_is_expected_fits_a_variable_or_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        check_jobs.wanted_text({"text": os.urandom(200_000).hex()})


def played(
    folder: Path, wanted: dict[str, Any], enter: str, root: str = ""
) -> subprocess.CompletedProcess[str]:
    """What the container does, on this machine: the suite lies where the volume would be."""
    (folder / check_jobs.SUITE).write_bytes(node_bundle.packed({}))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", check_jobs.script(60, enter=enter, root=root, folder=str(folder))],
        env={"PATH": path, "RAILBED_WANTED": check_jobs.wanted_text(wanted)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


WANTED = {
    "claims": ["node.memory", "node.persistence"],
    "memory_mib": 64,
    "memory_floor_mib": 60,
    "slowdown": 1,
}


def test_the_suite_runs_and_reads_the_nodes_files_and_commands(tmp_path: Path) -> None:
    """``env`` in the place of nsenter; the node's files lie below a folder."""
    root, tools = tmp_path / "root", tmp_path / "bin"
    (root / "proc").mkdir(parents=True)
    tools.mkdir()
    (tools / "nvidia-smi").write_text('#!/bin/sh\nprintf "0, Enabled\\n1, Enabled\\n"\n')
    (tools / "nvidia-smi").chmod(0o755)
    for there_kib, verdict in ((64 * 1024, "pass"), (1024, "fail")):
        (root / "proc/meminfo").write_text(f"MemTotal: {there_kib} kB\n")
        done = played(tmp_path, WANTED, f"env PATH={tools}:{os.environ['PATH']}", str(root))
        assert done.returncode == 0, done.stdout + done.stderr
        found = {one["claim"]: one for one in json.loads(check_jobs.records(done.stdout))}
        assert found["node.memory"]["verdict"] == verdict
        assert found["node.persistence"]["reason"] == "on for 2 GPUs"


def test_an_image_that_cannot_enter_the_node_gives_no_records(tmp_path: Path) -> None:
    done = played(tmp_path, WANTED, "nsenter-that-is-not-there")
    assert done.returncode == 4 and check_jobs.records(done.stdout) == ""
    assert "not found" in done.stderr
