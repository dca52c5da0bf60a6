"""The same cluster: each fault is found, its culprit named, and nothing else is blamed."""

from __future__ import annotations

import json
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from railbed.platforms.lab import faults
from railbed.platforms.lab.gpu_faults import XIDS

from .conftest import TRIES, UNPROVEN, Cli, blamed, failing, scheduled, wait_for

pytestmark = pytest.mark.lab


WHOLE: list[str] = []
FABRIC, RAIL, QUICK = ["--claim", "fabric.*"], ["--claim", "fabric.rail.*"], ["--quick"]
FAULTS = {
    "slow rails": (FABRIC, RAIL, [
        ("rail-slow h100-1 3 --percent 50", ("h100-1", "rail 3")),
        ("rail-slow h100-0 6 --percent 5", ("h100-0", "rail 6")),
    ]),
    "slow rails at the switch, and no carrier": (RAIL, RAIL, [
        ("rail-slow h100-2 5 --percent 50 --side switch", ("h100-2", "rail 5")),
        ("rail-slow h100-3 0 --percent 5 --side switch", ("h100-3", "rail 0")),
        ("rail-down h100-1 7", ("h100-1", "rail 7")),
    ]),
    "a GPU and a server": (QUICK, QUICK, [
        ("gpu-missing h100-3 5", ("h100-3", "gpu 5")),
        ("fs-server-down h100-1", ("h100-1", "storage")),
    ]),
    "four nodes": (QUICK, QUICK, [
        ("gpu-lost h100-2 4", ("h100-2", "gpu 4")),
        ("driver-mismatch h100-0", ("h100-0", "driver")),
        ("driver-half-installed h100-1", ("h100-1", "driver")),
        ("fabric-manager-mismatch h100-3", ("h100-3", "fabric manager")),
    ]),
    "a rail, a GPU and a server in all that is measured": (WHOLE, QUICK, [
        ("rail-down h100-2 7", ("h100-2", "rail 7")),
        ("gpu-missing h100-3 5", ("h100-3", "gpu 5")),
        ("fs-server-down h100-1", ("h100-1", "storage")),
    ]),
}  # fmt: skip
"""What is validated while faults are in, what once they are cleared, and each fault with its culprit.

Faults of one round are on different nodes, so that each must be told from the others: the culprits are all of these and nobody
else. Each fault alone is the qualification's (tests/qualify); the whole lab is validated again in test_cluster_repair.py.
"""


def found(cluster: Cli, scope: list[str], culprits: set[tuple[str, str]]) -> dict[str, Any]:
    """The report of faults; made again where a culprit is missing and a busy machine left claims unproven."""
    for _ in range(TRIES):
        report: dict[str, Any] = cluster.report(*scope, status=1)
        unproven = [claim["claim"] for claim in report["claims"] if claim["verdict"] == "unproven"]
        if culprits <= blamed(report) or not unproven:
            break
        warnings.warn(f"tried again, as these were unproven: {', '.join(unproven)}", stacklevel=2)
    return report


@pytest.mark.parametrize(
    ("scope", "cleared", "faults"),
    [
        pytest.param(*row, id=name, marks=[pytest.mark.long] * (row[0] is WHOLE))
        for name, row in FAULTS.items()
    ],
)
def test_faults_are_found_named_and_nothing_else_is_blamed(
    cluster: Cli, scope: list[str], cleared: list[str], faults: list[tuple[str, tuple[str, str]]]
) -> None:
    culprits = {culprit for _, culprit in faults}
    try:
        for words, _ in faults:
            cluster("lab", "fault", "inject", *words.split())
        report = found(cluster, scope, culprits)
        assert report["verdict"] == "fail"
        assert blamed(report) == culprits, json.dumps(report["culprits"])
        assert failing(report), "a failed run names the claims that failed"
        assert cluster("certificate", "verify").returncode == 0, (
            "a failed run leaves the standing certificate alone"
        )
    finally:
        cluster("lab", "fault", "clear")
    assert cluster.report(*cleared)["verdict"] == "pass"


def test_two_swapped_cables_are_both_named_with_the_port_that_each_is_in(cluster: Cli) -> None:
    asked = ["--claim", "fabric.cabling"]
    try:
        cluster("lab", "fault", "inject", "cable-swapped", "h100-2", "1", "6")
        report = cluster.report(*asked, status=1)
        assert blamed(report) == {("h100-2", "rail 1"), ("h100-2", "rail 6")}
        assert "h100-2 rail 1 ends in leaf6 port 3 (of h100-2 rail 6)" in report["claims"][0]["reason"]
    finally:
        cluster("lab", "fault", "clear")
    assert cluster.report(*asked)["verdict"] == "pass"


WHOLE_GPU = "nvidia-smi -q -i {gpu}"
FIELD = "nvidia-smi --query-gpu={field} --format=csv,noheader -i {{gpu}}"
ON_THE_NODE = {
    "gpu-ecc": (WHOLE_GPU, "DRAM Uncorrectable            : 1"),
    "gpu-remap-failed": (WHOLE_GPU, "Remapping Failure Occurred        : Yes"),
    "gpu-throttle": (WHOLE_GPU, "HW Thermal Slowdown           : Active"),
    "power-capped": (FIELD.format(field="power.limit"), "350.00 W"),
    "mig-enabled": (FIELD.format(field="mig.mode.current"), "Enabled"),
    "persistence-off": (FIELD.format(field="persistence_mode"), "Disabled"),
    "pcie-narrow": (WHOLE_GPU, "Current                   : 8x"),
    "nvlink-down": ("nvidia-smi nvlink -s -i {gpu}", "Link 7: <inactive>"),
}
"""Fault → how it shows. One is put into each GPU of a node, in this order."""


def test_gpu_faults_show_on_their_node_and_fail_their_claims_until_they_are_cleared(cluster: Cli) -> None:
    """All in one validation."""
    asked = ["--node", "h100-1", "--claim", "node.*"]
    try:
        for gpu, (name, (command, shows)) in enumerate(ON_THE_NODE.items()):
            cluster("lab", "fault", "inject", name, "h100-1", str(gpu))
            assert shows in cluster.ssh("h100-1", command.format(gpu=gpu)), name
            assert shows not in cluster.ssh("h100-2", command.format(gpu=gpu)), name
        cluster("lab", "fault", "inject", "xid-95", "h100-1", "7")
        report = cluster.report(*asked, status=1)
        broken = {(claim, "h100-1") for name in ON_THE_NODE for claim in faults.FAULTS[name].claims}
        assert failing(report) == broken
        named = {f"gpu {gpu}" for gpu in range(8)} - {"gpu 5"} | {"persistence"}
        assert blamed(report) == {("h100-1", part) for part in named}, json.dumps(report["culprits"])
    finally:
        cluster("lab", "fault", "clear")
    # The health check drained it, and takes that back at its next run.
    wait_for(lambda: not scheduled(cluster)["h100-1"].drained)
    assert cluster.report(*asked)["verdict"] == "pass"


def test_a_gpu_that_hangs_proves_nothing(cluster: Cli) -> None:
    cluster("lab", "fault", "inject", "gpu-hang", "h100-1", "2")
    try:
        assert cluster.ssh("h100-1", "timeout 2 nvidia-smi -L; echo $?").strip() == "124"
        report = cluster.report("--node", "h100-1", "--claim", "node.gpus", status=UNPROVEN)
        assert blamed(report) == set()
    finally:
        cluster("lab", "fault", "clear")


def test_each_xid_stands_in_the_log_of_its_node(cluster: Cli) -> None:
    asked = "journalctl -t kernel -o cat"
    try:
        for number in XIDS:
            cluster("lab", "fault", "inject", f"xid-{number}", "h100-1", "2")
        here, elsewhere = cluster.ssh("h100-1", asked), cluster.ssh("h100-2", asked)
    finally:
        cluster("lab", "fault", "clear")
    for number in XIDS:
        shows = f"NVRM: Xid (PCI:0000:30:00): {number}, "
        assert shows in here and shows not in elsewhere


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
    assert cluster.report("--node", "h100-4", "--claim", "node.*")["verdict"] == "pass"


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


def test_no_fault_is_left(cluster: Cli) -> None:
    """Those that no test here tries are in the qualification, which has every fault (tests/unit/test_qualify.py)."""
    listed = cluster.json("lab", "fault", "list")["faults"]
    assert [fault["name"] for fault in listed] == list(faults.FAULTS)
    assert all(fault["active"] == [] for fault in listed)
