"""The same cluster: repair around a job, and drift, after which the whole lab passes."""

from __future__ import annotations

import time

import pytest

from railbed.effects.lab import hardware, names, network

from .conftest import Cli, processes_of, submit, wait_for

pytestmark = pytest.mark.lab
JOB_S = 20


def state(cluster: Cli, node: str) -> str:
    """Where a node stands in its life."""
    return {one["name"]: str(one["state"]) for one in cluster.json("node", "list")["nodes"]}[node]


def test_repair_waits_for_the_job_and_mends_the_driver(cluster: Cli) -> None:
    cluster("lab", "fault", "inject", "driver-mismatch", "h100-2")
    dry = cluster.json("node", "repair", "h100-2")
    assert dry["dry_run"] is True
    script = f"#!/bin/sh\nsleep {JOB_S}\necho done > /scratch/job-done\n"
    job = submit(cluster, script)
    repaired = cluster.json("node", "repair", "h100-2", "--yes")
    assert repaired["verdict"] == "pass"
    assert repaired["waited_s"] >= JOB_S / 2
    assert cluster.ssh("h100-0", "cat /scratch/job-done").strip() == "done", f"job {job} ended by itself"
    assert state(cluster, "h100-2") == "healthy"
    events = [event["event"] for event in cluster.json("node", "history", "h100-2")["events"]]
    steps = [
        "repair-drain",
        "repair-wait",
        "repair-evidence",
        "repair-hold",
        "repair-converged",
        "repair-validated",
        "repair-resumed",
    ]
    last = len(events) - events[::-1].index("repair-drain") - 1
    # A validation that is unproven is run once more.
    assert list(dict.fromkeys(event for event in events[last:] if event in steps)) == steps
    cluster("lab", "fault", "clear")


def test_a_fault_that_a_boot_ends_has_the_node_booted_while_jobs_of_others_go_on(cluster: Cli) -> None:
    """The unit is what a boot does to a GPU that is off the bus: here only a file says which GPUs there are."""
    node, unit = "h100-1", "/etc/systemd/system/gpu-comes-back.service"
    start = f"ExecStart=/bin/cp {hardware.HARDWARE} {hardware.STATE}"
    text = f"[Service]\\nType=oneshot\\n{start}\\n[Install]\\nWantedBy=multi-user.target\\n"
    cluster.ssh(node, f"printf '{text}' > {unit} && systemctl enable gpu-comes-back.service")
    started = cluster.ssh(node, "systemctl show -P UserspaceTimestampMonotonic")
    job = submit(
        cluster, f"#!/bin/sh\n#SBATCH -w h100-0\nsleep {2 * JOB_S}\necho done > /scratch/job-done-2\n"
    )
    cluster("lab", "fault", "inject", "gpu-missing", node, "4")
    try:
        repaired = cluster.json("node", "repair", node, "--yes")
        assert repaired["verdict"] == "pass"
        assert cluster.ssh(node, "systemctl show -P UserspaceTimestampMonotonic") != started
        events = cluster.json("node", "history", node)["events"]
        (rung,) = [one for one in events if one["event"] == "repair-rung"][-1:]
        assert (rung["rung"], rung["causes"]) == ("reboot", ["gpu-missing"])
        wait_for(lambda: cluster.ssh("h100-0", "cat /scratch/job-done-2", may_fail=True).strip() == "done")
        assert job
        # The health check takes its report back at its next run.
        wait_for(lambda: state(cluster, node) == "healthy")
    finally:
        cluster.ssh(node, f"systemctl disable gpu-comes-back.service; rm -f {unit}", may_fail=True)
    cluster("lab", "fault", "clear")


def test_drift_made_by_hand_is_seen_and_mended(cluster: Cli) -> None:
    work = cluster.work
    network.shape(names.namespace(work.lab_id, "h100-1"), "rail2", 40, 128)
    cluster.ssh("h100-4", "nohup sh -c 'sleep 0.5; systemctl poweroff' >/dev/null 2>&1 &")
    deadline = time.monotonic() + 30
    while any("h100-4" in line for line in processes_of(work)) and time.monotonic() < deadline:
        time.sleep(0.2)
    shown = cluster("preview").stderr
    assert "h100-1" in shown
    assert "h100-4" in shown
    again = cluster.build()
    assert again["changes"]["update"] == 2
    # After all faults, freezes and repairs of these files: everything in scope, on all nodes.
    assert (again["quick"], again["validate"]["verdict"]) == (False, "pass")
    rates = network.shaped_mbit(names.namespace(work.lab_id, "h100-1"), {"rail2"})
    assert rates["rail2"] == pytest.approx(100)
    assert cluster.ssh("h100-4", "hostname").strip() == "h100-4"
