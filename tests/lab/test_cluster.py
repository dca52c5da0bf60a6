"""One cluster from `up` on, here: its certificate, a second `up`, check mode. The files after it go on with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from .conftest import Cli, blamed, failing

pytestmark = pytest.mark.lab


def test_up_passes_every_claim_and_marks_what_is_simulated(cluster: Cli) -> None:
    report = cluster.up["validate"]
    assert report["verdict"] == "pass"
    assert {claim["verdict"] for claim in report["claims"]} == {"pass"}
    asked = {claim["claim"] for claim in report["claims"]}
    for rail in range(8):
        assert f"fabric.rail.{rail}.bandwidth" in asked
    for collective in ("all_reduce", "all_gather", "reduce_scatter", "alltoall"):
        assert {f"collective.{collective}@{k}" for k in (2, 4)} <= asked
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
        report = cluster.report("--quick", status=1)
    finally:
        cluster.ssh("h100-2", f"echo {before} > /etc/machine-id")
    assert failing(report) == {("node.identity", "h100-2")}
    assert blamed(report) == {("h100-2", "machine")}


def test_a_second_up_changes_nothing_and_says_so(cluster: Cli) -> None:
    certificate = cluster.work.certificate_file.read_bytes()
    again = cluster.build()
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
    # One node of each kind: what all roles of compute nodes, data servers and controllers do here is in these two.
    checked = cluster.json("converge", "--check", "--limit", "h100-1,ctl0")
    assert checked["nodes"]["h100-1"]["changed"] >= 2, "what was changed by hand is seen"
    assert cluster.ssh("h100-1", listing) == before and len(before.splitlines()) > 500
    assert cluster.json("converge", "--limit", "h100-1")["nodes"]["h100-1"]["state"] == "changed"
    assert cluster.ssh("h100-1", f"ls {OLD_KEYS}", may_fail=True) == "", "no node is root of another any more"


def test_nodes_are_healthy_and_listed(cluster: Cli) -> None:
    nodes = {node["name"]: node for node in cluster.json("node", "list")["nodes"]}
    assert {node["role"] for node in nodes.values()} == {"controller", "compute", "spare"}
    assert {node["state"] for node in nodes.values()} == {"healthy"}
    assert nodes["h100-0"]["gpus"] == 8
