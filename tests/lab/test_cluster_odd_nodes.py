"""The same cluster: nodes that cannot be asked or measured accuse nobody else, and a rail that loses packets is named."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from railbed.effects.lab import cgroups, names

from .conftest import Cli, blamed, scheduled, wait_for

pytestmark = pytest.mark.lab


@contextmanager
def harmed(cluster: Cli, node: str, harm: str, mend: str) -> Iterator[None]:
    """A node on which ``harm`` was run as root; ``mend`` at the end."""
    cluster.ssh(node, harm)
    try:
        yield
    finally:
        cluster.ssh(node, mend)


def reasons(report: dict[str, Any], node: str, claims: str = "") -> set[str]:
    """Of all claims on a node that did not pass."""
    return {
        claim["reason"] for claim in report["claims"]
        if claim["node"] == node and claim["claim"].startswith(claims) and claim["verdict"] != "pass"
    }  # fmt: skip


def verdicts(report: dict[str, Any], node: str) -> set[str]:
    return {claim["verdict"] for claim in report["claims"] if claim["node"] == node}


def signalled(cluster: Cli, node: str, number: signal.Signals) -> None:
    """Sends a signal to all of sshd and slurmd on a node, from this machine: a frozen node takes no command."""
    pids = {
        pid
        for group in cgroups.existing(names.namespace(cluster.work.lab_id, node))
        for pid in cgroups.processes(group)
    }
    chosen = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() in ("sshd", "slurmd")]
    assert chosen, f"no sshd or slurmd on {node}"
    for pid in chosen:
        os.kill(pid, number)


def test_a_frozen_node_is_named_once_and_nobody_is_blamed(cluster: Cli) -> None:
    """Its kernel takes connections, and none of its programs answers."""
    signalled(cluster, "h100-3", signal.SIGSTOP)
    try:
        report = cluster.report("--quick", status=3)
    finally:
        signalled(cluster, "h100-3", signal.SIGCONT)
    # Where the scheduler lost it, it takes it back with its next message.
    wait_for(lambda: scheduled(cluster)["h100-3"].usable, 300)
    assert blamed(report) == set(), json.dumps(report["culprits"])
    assert verdicts(report, "h100-3") == {"unproven"}
    for node in ("h100-0", "h100-1", "h100-2", "h100-4"):
        assert verdicts(report, node) == {"pass"}, reasons(report, node)


def test_a_node_without_python_is_unproven_and_nobody_is_blamed(cluster: Cli) -> None:
    path = "$(readlink -f /usr/bin/python3)"
    with harmed(cluster, "h100-1", f"chmod 0 {path}", f"chmod 755 {path}"):
        report = cluster.report("--quick", status=3)
    assert blamed(report) == set(), json.dumps(report["culprits"])
    assert any("Python" in reason or "python3" in reason for reason in reasons(report, "h100-1"))
    assert verdicts(report, "h100-0") == {"pass"}


@pytest.mark.long
def test_a_node_without_iperf3_is_named_and_its_partners_pass(cluster: Cli) -> None:
    with harmed(cluster, "h100-2", "mv /usr/bin/iperf3 /root/iperf3", "mv /root/iperf3 /usr/bin/iperf3"):
        report = cluster.report("--claim", "fabric.rail.*", status=3)
    assert blamed(report) == set(), json.dumps(report["culprits"])
    assert {
        "h100-2 did not prepare: iperf3 is not installed" in one for one in reasons(report, "h100-2")
    } == {True}
    for node in ("h100-0", "h100-1", "h100-3", "h100-4"):
        assert verdicts(report, node) == {"pass"}, reasons(report, node)


def test_a_rail_that_loses_packets_one_way_is_the_one_that_is_blamed(cluster: Cli) -> None:
    """One in ten packets that arrive: the shapers' rates are as they should be, and so is the carrier."""
    cluster("lab", "fault", "inject", "rail-lossy", "h100-1", "4")
    try:
        report = cluster.report("--claim", "fabric.rail.*", status=1)
    finally:
        cluster("lab", "fault", "clear")
    assert blamed(report) == {("h100-1", "rail 4")}, json.dumps(report["culprits"])
