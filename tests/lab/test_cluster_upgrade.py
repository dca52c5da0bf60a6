"""The same cluster: an upgrade to the next release with a job running, before it a canary that fails; secrets; the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from railbed.effects.lab import sweep

from .conftest import Cli, processes_of

pytestmark = pytest.mark.lab
OLD, NEW = "2026.11", "2026.12"
JOB_S = 100
CANARY, WORKERS = "h100-4", ["h100-0", "h100-1", "h100-2", "h100-3"]
SWITCH = "/var/lib/railbed-sim/packages/nvidia-open"


def submit(cluster: Cli, script: str) -> str:
    return cluster.ssh("ctl0", f"sbatch --parsable --chdir=/tmp -o /tmp/job.out <<'END'\n{script}END").strip()


def upgrade(cluster: Cli, release: str) -> dict[str, Any]:
    """An upgrade to its end, with the nodes that all its tries moved."""
    tries = list(cluster.settled("upgrade", "--to", release, "--yes"))
    return {**tries[-1], "moved": [name for one in tries for name in one["moved"]]}


def drivers(cluster: Cli) -> dict[str, str]:
    """Node → driver that its GPUs report."""
    ask = "nvidia-smi --query-gpu=driver_version --format=csv,noheader | sort -u"
    return {name: cluster.ssh(name, ask).strip() for name in [CANARY, *WORKERS]}


def test_the_plan_of_an_upgrade_changes_nothing(cluster: Cli) -> None:
    before = cluster.work.stack_file.read_text()
    planned = cluster.json("upgrade", "--to", NEW)
    assert planned["dry_run"] is True
    assert planned["controllers"] == ["ctl0"]
    assert planned["waves"] == [[name] for name in (CANARY, *WORKERS)], "the spare first, then data servers"
    assert cluster.work.stack_file.read_text() == before
    assert cluster.json("upgrade", "--to", "2031.01", status=2)["error"]["allowed"]


def test_a_release_in_the_spec_alone_does_not_move_drivers_under_jobs(cluster: Cli) -> None:
    before = cluster.work.stack_file.read_text()
    cluster.work.stack_file.write_text(before.replace(OLD, NEW))
    refused = cluster.json("up", status=2)["error"]
    cluster.work.stack_file.write_text(before)
    assert refused["code"] == "RELEASE_MOVES"
    assert f"railbed upgrade --to {NEW}" in refused["hint"]
    assert set(drivers(cluster).values()) == {"570.124.06"}


@pytest.mark.long
def test_a_canary_whose_driver_fails_stops_it_and_goes_back(cluster: Cli) -> None:
    certificate = json.loads(cluster.work.certificate_file.read_text())
    cluster.ssh(CANARY, f"mkdir -p $(dirname {SWITCH}); echo fail > {SWITCH}")
    stopped = cluster.json("upgrade", "--to", NEW, "--yes", status=1)
    cluster.ssh(CANARY, f"rm {SWITCH}")
    assert list(stopped["failed"]) == [CANARY]
    assert stopped["left"] == WORKERS
    states = {node["name"]: node["state"] for node in cluster.json("node", "list")["nodes"]}
    assert states == {"ctl0": "healthy", CANARY: "drained", **dict.fromkeys(WORKERS, "healthy")}
    back = upgrade(cluster, OLD)
    assert (back["verdict"], back["moved"]) == ("pass", [CANARY]), "nobody else was touched"
    assert set(drivers(cluster).values()) == {"570.124.06"}
    assert f'release: "{OLD}"' in cluster.work.stack_file.read_text()
    again = json.loads(cluster.work.certificate_file.read_text())
    assert again["contract_hash"] == certificate["contract_hash"], "the same cluster as before"


def test_the_next_release_comes_with_a_job_running_and_a_boot(cluster: Cli) -> None:
    """The job ends by itself, its node moves last, a driver that wants a boot gets it, the certificate is a new one."""
    certificate = json.loads(cluster.work.certificate_file.read_text())
    job = submit(
        cluster, f"#!/bin/sh\n#SBATCH -w {WORKERS[0]}\nsleep {JOB_S}\necho done > /scratch/job-done\n"
    )
    cluster.ssh(CANARY, f"mkdir -p $(dirname {SWITCH}); echo reboot > {SWITCH}")
    done = upgrade(cluster, NEW)
    assert done["verdict"] == "pass", done
    assert done["moved"] == [CANARY, *WORKERS[1:], WORKERS[0]]
    assert set(drivers(cluster).values()) == {"595.71.05"}
    # The controller forgets a job after five minutes (MinJobAge); accounts have one line for each of its starts.
    ended = cluster.ssh("ctl0", f"scontrol show job {job} 2>/dev/null || sacct -D -X -n -P -o State -j {job}")
    assert ended.strip() == "COMPLETED" or ("JobState=COMPLETED" in ended and "Restarts=0" in ended)
    assert cluster.ssh("ctl0", "cat /scratch/job-done").strip() == "done"
    renewed = json.loads(cluster.work.certificate_file.read_text())
    assert renewed["contract_hash"] != certificate["contract_hash"]
    assert cluster("certificate", "verify").returncode == 0
    assert f'release: "{NEW}"' in cluster.work.stack_file.read_text()
    again = cluster.build()
    assert again["quick"] is True
    assert sum(node["changed"] for node in again["converge"]["nodes"].values()) == 0


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
    assert [one for one in (work.archive / "reports").iterdir() if one.is_dir()]
    assert list((work.archive / "reports").glob("*-history.jsonl"))
