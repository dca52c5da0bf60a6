"""An upgrade from one release to the next, rehearsed with a job running; a canary that fails; and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.lab.conftest import Cli

OLD, NEW = "2026.11", "2026.12"
JOB_S = 60
SWITCH = "/var/lib/railbed-sim/packages/nvidia-open"


@pytest.fixture(scope="module")
def cluster(stack: Callable[..., Cli]) -> Iterator[Cli]:
    cli = stack("test-upgrade", nodes=2, spares=1)
    cli("up")
    yield cli


def submit(cluster: Cli, script: str) -> str:
    return cluster.ssh("ctl0", f"sbatch --parsable --chdir=/tmp -o /tmp/job.out <<'END'\n{script}END").strip()


def drivers(cluster: Cli) -> dict[str, str]:
    """Node → driver that its GPUs report."""
    ask = "nvidia-smi --query-gpu=driver_version --format=csv,noheader | sort -u"
    return {name: cluster.ssh(name, ask).strip() for name in ("h100-0", "h100-1", "h100-2")}


def test_the_plan_of_an_upgrade_changes_nothing(cluster: Cli) -> None:
    before = cluster.work.stack_file.read_text()
    planned = cluster.json("upgrade", "--to", NEW)
    assert planned["dry_run"] is True
    assert planned["controllers"] == ["ctl0"]
    assert planned["waves"] == [["h100-2"], ["h100-0"], ["h100-1"]], "the spare is the canary"
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


def test_a_canary_whose_driver_fails_stops_it_and_nobody_else_is_touched(cluster: Cli) -> None:
    cluster.ssh("h100-2", f"mkdir -p $(dirname {SWITCH}); echo fail > {SWITCH}")
    stopped = cluster.json("upgrade", "--to", NEW, "--yes", status=1)
    cluster.ssh("h100-2", f"rm {SWITCH}")
    assert list(stopped["failed"]) == ["h100-2"]
    assert stopped["left"] == ["h100-0", "h100-1"]
    states = {node["name"]: node["state"] for node in cluster.json("node", "list")["nodes"]}
    assert states["h100-2"] == "drained"
    assert states["h100-0"] == states["h100-1"] == "healthy"
    assert [drivers(cluster)[name] for name in ("h100-0", "h100-1")] == ["570.124.06"] * 2


def test_the_next_release_comes_with_a_job_running_and_a_boot(cluster: Cli) -> None:
    """The job ends by itself, its node moves last, a driver that wants a boot gets it, the certificate is a new one."""
    certificate = json.loads(cluster.work.certificate_file.read_text())
    job = submit(cluster, f"#!/bin/sh\n#SBATCH -w h100-0\nsleep {JOB_S}\necho done\n")
    cluster.ssh("h100-2", f"echo reboot > {SWITCH}")
    done = cluster.json("upgrade", "--to", NEW, "--yes")
    assert done["verdict"] == "pass", done
    assert sorted(done["moved"]) == ["h100-0", "h100-1", "h100-2"]
    assert set(drivers(cluster).values()) == {"595.71.05"}
    assert "JobState=COMPLETED" in cluster.ssh("ctl0", f"scontrol show job {job}")
    assert "Restarts=0" in cluster.ssh("ctl0", f"scontrol show job {job}")
    renewed = json.loads(cluster.work.certificate_file.read_text())
    assert renewed["contract_hash"] != certificate["contract_hash"]
    assert cluster("certificate", "verify").returncode == 0
    assert f'release: "{NEW}"' in cluster.work.stack_file.read_text()
    events = [event["event"] for event in cluster.json("node", "history", "h100-0")["events"]]
    assert events.index("upgrade-wait") < events.index("upgrade-converged") < events.index("upgrade-moved")
    again = cluster.json("up")
    assert again["quick"] is True
    assert sum(node["changed"] for node in again["converge"]["nodes"].values()) == 0


def test_the_way_back(cluster: Cli) -> None:
    done = cluster.json("upgrade", "--to", OLD, "--yes")
    assert done["verdict"] == "pass", done
    assert set(drivers(cluster).values()) == {"570.124.06"}
    assert cluster("certificate", "verify").returncode == 0
