"""The same cluster: what stalls for all drains nobody; who may log in to a node, and what its root may do."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from railbed.effects.lab import hardware

from .conftest import Cli, blamed, running, scheduled, wait_for

pytestmark = pytest.mark.lab


FREEZE_S = 90


def drained(cluster: Cli) -> dict[str, str]:
    """Drained node → reason."""
    return {name: one.reason for name, one in scheduled(cluster).items() if one.drained}


def incidents(cluster: Cli) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.json("node", "list")["incidents"]
    return found


def test_a_frozen_filesystem_drains_nobody_and_is_one_incident(cluster: Cli) -> None:
    began = time.monotonic()
    cluster.ssh("ctl0", "kill -STOP $(pidof mfsmaster)")
    try:
        report = cluster.report("--quick", "--claim", "storage.*", status=1)
        assert blamed(report) == {("ctl0", "storage")}, json.dumps(report["culprits"])
        wait_for(lambda: bool(incidents(cluster)) and len(incidents(cluster)[0]["nodes"]) == 5)
        time.sleep(max(0.0, began + FREEZE_S - time.monotonic()))
        (incident,) = incidents(cluster)
        assert incident["part"] == "filesystem scratch" and "ctl0" in incident["reason"]
        assert drained(cluster) == {}
    finally:
        cluster.ssh("ctl0", "kill -CONT $(pidof mfsmaster)")
    wait_for(lambda: incidents(cluster) == [])
    assert cluster.ssh("h100-0", "srun -N 2 --mpi=none true && echo jobs run").strip() == "jobs run"


@pytest.mark.long
def test_frozen_clients_drain_nobody_and_a_lost_gpu_beside_them_comes_back_by_itself(cluster: Cli) -> None:
    nodes = [f"h100-{i}" for i in range(5)]
    began = time.monotonic()
    try:
        for node in nodes:
            cluster.ssh(node, "kill -STOP $(pidof mfsmount)")
        cluster("lab", "fault", "inject", "gpu-lost", "h100-2", "4")
        wait_for(lambda: bool(drained(cluster)))
        time.sleep(max(0.0, began + FREEZE_S - time.monotonic()))
        assert list(drained(cluster)) == ["h100-2"]
        assert drained(cluster)["h100-2"].startswith("[railbed:healthcheck] gpu-lost: ")
    finally:
        for node in nodes:
            cluster.ssh(node, "kill -CONT $(pidof mfsmount)")
    cluster.ssh("h100-2", f"cp {hardware.HARDWARE} {hardware.STATE}")
    wait_for(lambda: drained(cluster) == {})
    cluster("lab", "fault", "clear")


def test_a_job_on_a_node_that_has_just_lost_a_gpu_is_queued_again_and_starts_elsewhere(cluster: Cli) -> None:
    """Released at once after the fault: the health check wants to see it for 15 s."""
    submitted = "sbatch --parsable --hold -w h100-2 --gpus-per-node=8 -o /dev/null -D /tmp --wrap hostname"
    job = cluster.ssh("ctl0", submitted).strip()
    try:
        cluster("lab", "fault", "inject", "gpu-lost", "h100-2", "4")
        cluster.ssh("ctl0", f"scontrol release {job}")
        wait_for(lambda: " Restarts=1 " in cluster.ssh("ctl0", f"scontrol show job -o {job}"))
        assert drained(cluster)["h100-2"].startswith("[railbed:healthcheck] gpu-lost: ")
        assert "(runbook xid)" in drained(cluster)["h100-2"]
        # Slurm lets it wait for two minutes.
        cluster.ssh("ctl0", f"scontrol update jobid={job} reqnodelist= starttime=now")
        wait_for(lambda: " JobState=COMPLETED " in cluster.ssh("ctl0", f"scontrol show job -o {job}"))
    finally:
        cluster.ssh("ctl0", f"scancel {job}", may_fail=True)
        cluster.ssh("h100-2", f"cp {hardware.HARDWARE} {hardware.STATE}")
    wait_for(lambda: drained(cluster) == {})
    cluster("lab", "fault", "clear")


def test_one_frozen_client_is_the_one_that_is_blamed(cluster: Cli) -> None:
    cluster.ssh("h100-1", "kill -STOP $(pidof mfsmount)")
    try:
        report = cluster.report("--quick", "--claim", "storage.*", status=1)
        assert blamed(report) == {("h100-1", "storage client")}, json.dumps(report["culprits"])
    finally:
        cluster.ssh("h100-1", "kill -CONT $(pidof mfsmount)")


def login(cluster: Cli, key: Path, node: str) -> str:
    """What an account that no role made gets to see of a node; empty where it is not let in."""
    return subprocess.run(
        ["ssh", "-F", str(cluster.work.ssh_config), "-o", "ControlPath=none", "-i", str(key), "-l", "mallory", node,
         "echo in job $SLURM_JOB_ID"],
        text=True, capture_output=True, check=False, timeout=60,
    ).stdout.strip()  # fmt: skip


def test_who_has_no_job_on_a_node_is_not_let_in(cluster: Cli, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    for node in ("ctl0", "h100-0", "h100-1"):
        cluster.ssh(node, "useradd -m -u 30000 -s /bin/bash mallory; mkdir -m 700 ~mallory/.ssh;"
                    f" echo '{public}' > ~mallory/.ssh/authorized_keys; chown -R mallory ~mallory")  # fmt: skip
    assert login(cluster, key, "ctl0") == "in job", "people log in to the controller"
    assert login(cluster, key, "h100-0") == ""
    submitted = "runuser -u mallory -- sbatch --parsable -w h100-0 -o /dev/null -D /tmp --wrap 'sleep 60'"
    job = cluster.ssh("ctl0", submitted).strip()
    running(cluster, job)
    assert login(cluster, key, "h100-0") == f"in job {job}"
    assert login(cluster, key, "h100-1") == ""
    shown = cluster.ssh("ctl0", f"scontrol show job -o {job}; scancel {job}")
    assert ",mem=64M," in shown, "memory of its CPU, as it asked for none"
    cluster.ssh("h100-0", "pkill -u mallory", may_fail=True)
    for node in ("ctl0", "h100-0", "h100-1"):
        cluster.ssh(node, "userdel -rf mallory", may_fail=True)


def test_root_of_a_node_is_nobody_on_the_shared_filesystem(cluster: Cli) -> None:
    cluster.ssh("ctl0", "echo of the controller > /scratch/own; chmod 600 /scratch/own")
    assert cluster.ssh("ctl0", "stat -c %U /scratch/own").strip() == "root"
    assert cluster.ssh("h100-0", "cat /scratch/own", may_fail=True) == ""
    made = "cp /usr/bin/id /scratch/id; chmod 4755 /scratch/id; stat -c %U /scratch/id; runuser -u daemon /scratch/id"
    assert cluster.ssh("h100-1", made).split() == [
        "nobody", "uid=1(daemon)", "gid=1(daemon)", "groups=1(daemon)",
    ], "and setuid does nothing"  # fmt: skip
    cluster.ssh("ctl0", "rm /scratch/own /scratch/id")


@pytest.mark.parametrize(
    ("path", "harm", "part"),
    [
        ("/etc/munge/munge.key", "head -c 1024 /dev/urandom > $file; systemctl restart munge", "munge key"),
        ("/etc/slurm/slurm.conf", "sed -i s/HealthCheckInterval=30/HealthCheckInterval=3000/ $file", "slurm.conf"),
    ],
)  # fmt: skip
def test_a_node_that_the_controller_disagrees_with_is_named_with_the_reason(
    cluster: Cli, path: str, harm: str, part: str
) -> None:
    cluster.ssh("h100-3", f"cp -p {path} /root/kept; file={path}; {harm}")
    try:
        report = cluster.report("--quick", status=1)
    finally:
        cluster.ssh("h100-3", f"cp -p /root/kept {path}; rm /root/kept; systemctl restart munge slurmd")
    assert blamed(report) == {("h100-3", part)}
    told = [claim["reason"] for claim in report["claims"] if claim["verdict"] == "fail"]
    assert any("h100-3" in reason or "/etc/slurm/slurm.conf differs" in reason for reason in told)
