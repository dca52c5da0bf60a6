"""The same cluster: repair around a job, drift, no secrets, and a clean end."""

from __future__ import annotations

import time

import pytest

from railbed.effects.lab import names, network, sweep

from .conftest import Cli, processes_of, submit

pytestmark = pytest.mark.lab
JOB_S = 20


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
    states = {node["name"]: node["state"] for node in cluster.json("node", "list")["nodes"]}
    assert states["h100-2"] == "healthy"
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
    assert [event for event in events if event in steps][-len(steps) :] == steps
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
    again = cluster.json("up", status=None)
    assert again["changes"]["update"] == 2
    rates = network.shaped_mbit(names.namespace(work.lab_id, "h100-1"), {"rail2"})
    assert rates["rail2"] == pytest.approx(100)
    assert cluster.ssh("h100-4", "hostname").strip() == "h100-4"


def test_no_secret_is_in_artefacts_state_or_argv(cluster: Cli) -> None:
    work = cluster.work
    secrets = {path.name: path.read_bytes() for path in work.secrets.iterdir() if path.suffix != ".pub"}
    secrets["passphrase"] = (work.local / "passphrase").read_bytes()
    assert {"munge.key", "beegfs.auth", "contract.key", "passphrase"} <= set(secrets) and len(secrets) == 6
    places = [
        work.runner_dir,
        work.reports,
        work.archive,
        work.local / "state",
        work.contract_file.parent / "contract.json",
    ]
    for name, secret in secrets.items():
        middle = secret[len(secret) // 2 :][:40].strip()
        for place in places:
            files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
            assert files, f"{place} is empty: nothing was searched"
            for file in files:
                assert middle not in file.read_bytes(), f"{name} is in {file}"


def test_destroy_leaves_the_archive_and_nothing_else(cluster: Cli) -> None:
    cluster("destroy", "--yes")
    work = cluster.work
    assert sweep.remains(work.lab_id, work.lab_dir) == []
    assert processes_of(work) == []
    assert {entry.name for entry in work.dir.iterdir()} <= {"archive", "lock"}
    assert (work.archive / "journal.jsonl").exists()
    assert list((work.archive / "reports").iterdir())
