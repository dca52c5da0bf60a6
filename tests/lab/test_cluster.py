"""One cluster from `up` to `destroy`: certificate, nothing to change, five faults, repair around a job, drift, clean end."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from railbed.effects import slurm_text
from railbed.effects.lab import hardware, names, network, sweep
from railbed.platforms.lab.gpu_faults import XIDS

from .conftest import Cli, processes_of

pytestmark = pytest.mark.lab
JOB_S = 20


@pytest.fixture(scope="module")
def cluster(stack: Callable[..., Cli]) -> Iterator[Cli]:
    cli = stack("test-full", nodes=4, spares=1)
    cli.up = cli.json("up")  # type: ignore[attr-defined]
    yield cli


def failing(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(claim["claim"], claim["node"]) for claim in report["claims"] if claim["verdict"] == "fail"}


def blamed(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(culprit["node"], culprit["part"]) for culprit in report["culprits"]}


def test_up_passes_every_claim_and_marks_what_is_simulated(cluster: Cli) -> None:
    report = cluster.up["validate"]  # type: ignore[attr-defined]
    assert report["verdict"] == "pass"
    assert {claim["verdict"] for claim in report["claims"]} == {"pass"}
    asked = {claim["claim"] for claim in report["claims"]}
    for rail in range(8):
        assert f"fabric.rail.{rail}.bandwidth" in asked
    for collective in ("all_reduce", "all_gather", "reduce_scatter", "alltoall"):
        assert {f"collective.{collective}@{k}" for k in (2, 3, 4)} <= asked
    assert all(
        claim["simulated"]
        for claim in report["claims"]
        if claim["claim"].startswith(("fabric.", "node.gpus"))
    )
    assert cluster("certificate", "verify").returncode == 0


def test_a_certificate_covers_its_evidence_and_names_the_machines(cluster: Cli, tmp_path: Path) -> None:
    said = json.loads(cluster.work.certificate_file.read_text())
    node = next(one for one in said["nodes"] if one["name"] == "h100-1")
    assert (
        node["measured"]["machine_id"]
        == cluster.ssh("h100-1", "cat /etc/machine-id").strip()
        == node["identity"]
    )
    uuids = cluster.ssh("h100-1", "nvidia-smi --query-gpu=uuid --format=csv,noheader").split()
    assert [gpu["uuid"] for gpu in node["measured"]["gpus"]] == uuids
    assert node["measured"]["simulated"] == ["gpus"]
    assert node["measured"]["serial"] is None and "container" in node["measured"]["absent"]["serial"]
    copy = tmp_path / "handed over"
    shutil.copytree(cluster.work.reports / said["report"], copy)
    file = str(copy / "certificate.json")
    assert cluster("certificate", "verify", file).returncode == 0
    evidence = copy / "evidence" / "h100-1" / "checks.txt"
    evidence.write_text(evidence.read_text().replace("pass", "PASS", 1))
    told = cluster("certificate", "verify", file, status=1)
    assert "evidence/h100-1/checks.txt (changed" in told.stdout


def test_another_machine_under_the_same_name_is_noticed(cluster: Cli) -> None:
    before = cluster.ssh("h100-2", "cat /etc/machine-id").strip()
    cluster.ssh("h100-2", f"echo {before[::-1]} > /etc/machine-id")
    try:
        report = cluster.json("validate", "--quick", status=1)
    finally:
        cluster.ssh("h100-2", f"echo {before} > /etc/machine-id")
    assert failing(report) == {("node.identity", "h100-2")}
    assert blamed(report) == {("h100-2", "machine")}


def test_a_second_up_changes_nothing_and_says_so(cluster: Cli) -> None:
    certificate = cluster.work.certificate_file.read_bytes()
    again = cluster.json("up")
    assert set(again["changes"]) == {"same"}
    assert sum(node["changed"] for node in again["converge"]["nodes"].values()) == 0
    assert again["quick"] is True
    assert again["validate"]["verdict"] == "pass"
    assert cluster.work.certificate_file.read_bytes() == certificate


OLD_KEYS = "/root/.ssh/railbed_cluster_ed25519 /etc/railbed/ssh/root.keys"
"""What earlier versions gave to every node."""


def test_check_mode_writes_nothing(cluster: Cli) -> None:
    """Also where something differs: every file and folder with its time, so that one that is removed counts too."""
    places = "/etc /opt /usr/bin /usr/lib/systemd /usr/local /var/lib/dpkg /var/lib/apt/lists /home"
    listing = f"find {places} -xdev -name training -prune -o -printf '%p %s %T@ %m %U\\n' | sort"
    cluster.ssh("h100-1", "echo by hand >> /etc/slurm/slurm.conf; apt-mark unhold nvidia-open")
    cluster.ssh(
        "h100-1", f"mkdir -p /etc/railbed/ssh; umask 77; for key in {OLD_KEYS}; do echo key > $key; done"
    )
    before = cluster.ssh("h100-1", listing)
    checked = cluster.json("converge", "--check")
    assert checked["nodes"]["h100-1"]["changed"] >= 2, "what was changed by hand is seen"
    assert cluster.ssh("h100-1", listing) == before and len(before.splitlines()) > 500
    assert cluster.json("converge", "--limit", "h100-1")["nodes"]["h100-1"]["state"] == "changed"
    assert cluster.ssh("h100-1", f"ls {OLD_KEYS}", may_fail=True) == "", "no node is root of another any more"


def test_nodes_are_healthy_and_listed(cluster: Cli) -> None:
    nodes = {node["name"]: node for node in cluster.json("node", "list")["nodes"]}
    assert {node["role"] for node in nodes.values()} == {"controller", "compute", "spare"}
    assert {node["state"] for node in nodes.values()} == {"healthy"}
    assert nodes["h100-0"]["gpus"] == 8


FAULTS = [
    (["rail-slow", "h100-1", "3", "--percent", "50"], ("h100-1", "rail 3")),
    (["rail-slow", "h100-2", "5", "--percent", "50", "--side", "switch"], ("h100-2", "rail 5")),
    (["rail-slow", "h100-0", "6", "--percent", "5"], ("h100-0", "rail 6")),
    (["rail-slow", "h100-3", "0", "--percent", "5", "--side", "switch"], ("h100-3", "rail 0")),
    (["rail-down", "h100-2", "7"], ("h100-2", "rail 7")),
    (["gpu-missing", "h100-3", "5"], ("h100-3", "gpu 5")),
    (["gpu-lost", "h100-2", "4"], ("h100-2", "gpu 4")),
    (["fs-server-down", "h100-1"], ("h100-1", "storage")),
    (["driver-mismatch", "h100-0"], ("h100-0", "driver")),
    (["driver-half-installed", "h100-1"], ("h100-1", "driver")),
    (["fabric-manager-mismatch", "h100-3"], ("h100-3", "fabric manager")),
]


@pytest.mark.parametrize(("fault", "culprit"), FAULTS, ids=[" ".join(words) for words, _ in FAULTS])
def test_a_fault_is_found_named_and_nothing_else_is_blamed(
    cluster: Cli, fault: list[str], culprit: tuple[str, str]
) -> None:
    cluster("lab", "fault", "inject", *fault)
    try:
        report = cluster.json("validate", status=1)
        assert report["verdict"] == "fail"
        assert blamed(report) == {culprit}, json.dumps(report["culprits"])
        assert failing(report), "a failed run names the claims that failed"
        assert cluster("certificate", "verify").returncode == 0, (
            "a failed run leaves the standing certificate alone"
        )
    finally:
        cluster("lab", "fault", "clear")
    after = cluster.json("validate", "--node", culprit[0])
    assert after["verdict"] == "pass"


ON_THE_NODE = [
    ("gpu-ecc", "nvidia-smi -q -i 2", "DRAM Uncorrectable            : 1", ("fail", "gpu 2")),
    ("gpu-remap-failed", "nvidia-smi -q -i 2", "Remapping Failure Occurred        : Yes", ("fail", "gpu 2")),
    ("gpu-hang", "timeout 2 nvidia-smi -L; echo $?", "124", ("unproven", "")),
    ("gpu-throttle", "nvidia-smi -q -i 2", "HW Thermal Slowdown           : Active", ("pass", "")),
    ("pcie-narrow", "nvidia-smi -q -i 2", "Current                   : 8x", ("pass", "")),
    ("nvlink-down", "nvidia-smi nvlink -s -i 2", "Link 7: <inactive>", ("pass", "")),
    *((f"xid-{number}", "journalctl -t kernel -o cat", f"NVRM: Xid (PCI:0000:30:00): {number}, ", ("pass", ""))
      for number in XIDS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "command", "shows", "verdict"), ON_THE_NODE, ids=[row[0] for row in ON_THE_NODE]
)
def test_a_gpu_fault_shows_on_its_node(
    cluster: Cli, name: str, command: str, shows: str, verdict: tuple[str, str]
) -> None:
    cluster("lab", "fault", "inject", name, "h100-1", "2")
    try:
        assert shows in cluster.ssh("h100-1", command)
        assert shows not in cluster.ssh("h100-2", command)
        if not name.startswith("xid-"):
            report = cluster.json("validate", "--node", "h100-1", "--claim", "node.gpus", status=None)
            assert report["verdict"] == verdict[0]
            assert {part for _, part in blamed(report)} == {verdict[1]} - {""}
    finally:
        cluster("lab", "fault", "clear")


def test_every_gpu_of_the_cluster_is_another_one(cluster: Cli) -> None:
    seen = [
        cluster.ssh(f"h100-{node}", "nvidia-smi --query-gpu=uuid,serial --format=csv,noheader")
        for node in range(4)
    ]
    identities = [line for text in seen for line in text.splitlines()]
    assert len(set(identities)) == len(identities) == 32


def test_stand_in_packages_move_as_the_vendors_do(cluster: Cli) -> None:
    """A driver that wants a boot, the fabric manager that refuses it until then, and the way back."""
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qy --allow-change-held-packages --allow-downgrades"
    start = "systemctl daemon-reload; systemctl restart nvidia-fabricmanager; systemctl is-active nvidia-fabricmanager"
    switch = "/var/lib/railbed-sim/packages/nvidia-open"
    cluster.ssh("h100-4", f"mkdir -p {Path(switch).parent}; echo reboot > {switch};"
                f" {apt} install nvidia-open=595.71.05-1 nvidia-fabricmanager=595.71.05-1"
                f" nvidia-fabricmanager-570-; rm {switch}")  # fmt: skip
    assert "version mismatch" in cluster.ssh("h100-4", "nvidia-smi", may_fail=True)
    assert cluster.ssh("h100-4", "cat /var/run/reboot-required.pkgs").split() == ["nvidia-open"]
    assert cluster.ssh("h100-4", start, may_fail=True).strip() == "failed"
    boot = cluster.ssh("h100-4", "systemctl show -P UserspaceTimestampMonotonic")
    cluster.ssh("h100-4", "nohup sh -c 'sleep 0.3; systemctl reboot' >/dev/null 2>&1 &")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if cluster.ssh("h100-4", "systemctl show -P UserspaceTimestampMonotonic", timeout_s=5) != boot:
                break
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            time.sleep(0.3)
    assert "Driver Version: 595.71.05" in cluster.ssh("h100-4", "nvidia-smi")
    assert cluster.ssh("h100-4", start).strip() == "active"
    cluster.ssh("h100-4", f"{apt} install nvidia-open=570.124.06-1 nvidia-fabricmanager-570=570.124.06-1"
                " nvidia-fabricmanager-;"
                f" apt-mark hold nvidia-open nvidia-fabricmanager-570; {start}")  # fmt: skip
    cluster.ssh("h100-4", "scontrol update nodename=h100-4 state=resume", may_fail=True)
    assert cluster.json("validate", "--node", "h100-4", "--claim", "node.*")["verdict"] == "pass"


def test_a_half_done_driver_takes_its_node_out_and_the_next_run_mends_it(cluster: Cli) -> None:
    cluster("lab", "fault", "inject", "driver-half-installed", "h100-4")
    try:
        broken = cluster.json("converge", "--limit", "h100-4", status=1)
        assert broken["quarantined"] == ["h100-4"], broken["nodes"]
        assert "in the middle of it: nvidia-open" in broken["nodes"]["h100-4"]["message"]
        assert "Nodes=h100-4 " in cluster.ssh("ctl0", "scontrol show reservation railbed-acceptance -o")
        assert "h100-4" not in cluster.work.accepted.read()
        cluster.ssh("h100-4", "rm /var/lib/railbed-sim/packages/nvidia-open")
        mended = cluster.json("converge", "--limit", "h100-4")
        assert mended["nodes"]["h100-4"]["state"] == "changed" and mended["quarantined"] == []
        ask = "dpkg --audit; nvidia-smi --query-gpu=driver_version --format=csv,noheader"
        assert set(cluster.ssh("h100-4", ask).split()) == {"570.124.06"}, "whole again, and every GPU answers"
    finally:
        cluster("lab", "fault", "clear")


def test_after_all_faults_the_whole_lab_passes(cluster: Cli) -> None:
    assert cluster.json("validate")["verdict"] == "pass"
    faults = cluster.json("lab", "fault", "list")["faults"]
    assert {fault["name"] for fault in faults} == {words[0] for words, _ in FAULTS} | {
        row[0] for row in ON_THE_NODE
    }
    assert all(fault["active"] == [] for fault in faults)


FREEZE_S = 90
WATCH = "scontrol show node -o"


def drained(cluster: Cli) -> dict[str, str]:
    """Drained node → reason."""
    found = slurm_text.nodes(cluster.ssh("ctl0", WATCH))
    return {name: one.reason for name, one in found.items() if one.drained}


def wait_for(what: Callable[[], bool], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(2)


def incidents(cluster: Cli) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.json("node", "list")["incidents"]
    return found


def test_a_frozen_filesystem_drains_nobody_and_is_one_incident(cluster: Cli) -> None:
    began = time.monotonic()
    cluster.ssh("ctl0", "kill -STOP $(pidof mfsmaster)")
    try:
        report = cluster.json("validate", "--quick", "--claim", "storage.*", status=1)
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


def test_one_frozen_client_is_the_one_that_is_blamed(cluster: Cli) -> None:
    cluster.ssh("h100-1", "kill -STOP $(pidof mfsmount)")
    try:
        report = cluster.json("validate", "--quick", "--claim", "storage.*", status=1)
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
        report = cluster.json("validate", "--quick", status=1)
    finally:
        cluster.ssh("h100-3", f"cp -p /root/kept {path}; rm /root/kept; systemctl restart munge slurmd")
    assert blamed(report) == {("h100-3", part)}
    told = [claim["reason"] for claim in report["claims"] if claim["verdict"] == "fail"]
    assert any("h100-3" in reason or "/etc/slurm/slurm.conf differs" in reason for reason in told)


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


def submit(cluster: Cli, script: str) -> str:
    """A user's job on h100-2, running when this returns."""
    done = subprocess.run(
        ["ssh", "-F", str(cluster.work.ssh_config), "h100-0", "sbatch --parsable -w h100-2 -p batch -o /dev/null"],
        input=script, text=True, capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    return running(cluster, done.stdout.strip())


def running(cluster: Cli, job: str) -> str:
    """The job, once it runs."""
    for _ in range(50):
        if cluster.ssh("h100-0", f"squeue -h -j {job} -o %T").strip() == "RUNNING":
            return job
        time.sleep(0.2)
    raise AssertionError(f"job {job} does not start")


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
