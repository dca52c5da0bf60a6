"""What only virtual machines can show: a whole `up` of them, a job's devices, RDMA rails, and a boot by their own loader."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.conftest import Cli, wait_for

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION
from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.parse import rdma_link
from railbed.platforms.lab import faults

from . import steps
from .judging import Wanted, failed_claims, problems
from .page import Row
from .steps import Found

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "examples/lab-machines.yaml"
FIRST, SLOW, BOOTED = "h100-0", "h100-1", "h100-2"
RAIL, PERCENT = 3, 50
UP_S, STEP_S, SSH_S = 5400, 2400, 240
"""Bounds, not expectations: a machine that is emulated on a busy computer takes its time."""
DEVICES = r"for at in 0 1 2 3; do (: < /dev/nvidia$at) 2>&1; done | sed 's/.*: //'"
"""Opens each GPU's device. No driver answers to its number: the kernel says so where it lets the job come so far."""
FENCED, OPEN = "Operation not permitted", "No such device or address"
BOOT_LINE = "node.boot_line"
LOSE_BOOT_LINE = (
    "rm /etc/default/grub.d/90-railbed.cfg && update-grub && (sleep 1; systemctl reboot) > /dev/null 2>&1 &"
)
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@contextmanager
def cluster(stack: str, *, keep: bool) -> Iterator[Cli]:
    """The example's machines; ``keep``: of a stack that stands already, and stays."""
    cli = Cli(Workspace(ROOT, stack))
    if not keep:
        shutil.copy(SPEC, cli.work.stack_file)
    try:
        yield cli
    finally:
        if not keep:
            cli("destroy", "--yes", "--end-jobs", status=None)
            cli.work.stack_file.unlink(missing_ok=True)


def up(cli: Cli) -> Found:
    """Hosts, roles, acceptance. Whatever does not pass is a problem."""
    document = json.loads(cli("up", "--json", status=None, timeout_s=UP_S).stdout)
    if "validate" not in document:
        return "no cluster", [str(document.get("error", {}).get("message", "no document"))]
    claims = document["validate"]["claims"]
    bad = [one for one in claims if one["verdict"] != "pass"]
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in document["timings"].items())
    changed = sum(node["changed"] for node in document["converge"]["nodes"].values())
    words = f"{len(claims) - len(bad)} of {len(claims)} claims pass, {changed} changes; {took}"
    return words, [f"{one['claim']} {one['node']} {one['verdict']}: {one['reason']}" for one in bad]


def devices(cli: Cli) -> Found:
    """A job with one GPU can open that one's device, and none of the others."""
    held = ACCEPTANCE_RESERVATION in cli.ssh("ctl0", "scontrol show reservation -o", SSH_S)
    where = [f"--nodelist={FIRST}", *([f"--reservation={ACCEPTANCE_RESERVATION}"] if held else [])]
    said = cli.ssh("ctl0", f"srun {' '.join(where)} --gres=gpu:1 bash -c {shlex.quote(DEVICES)}", SSH_S)
    answers = sorted(said.splitlines())
    found = f"{answers.count(OPEN)} open, {answers.count(FENCED)} refused"
    return found, [] if answers == sorted([OPEN, FENCED, FENCED, FENCED]) else [f"the job saw {answers}"]


def slow_rail(cli: Cli) -> Found:
    """A rail at half its rate is blamed alone, by `ib_write_bw` over soft RoCE."""
    contract: Contract = contract_store.load(cli.work)
    fault = faults.FAULTS["rail-slow"]
    words = ["rail-slow", SLOW, str(RAIL), "--percent", str(PERCENT), "--side", "node"]
    cli("lab", "fault", "inject", *words, timeout_s=STEP_S)
    try:
        report = validated(cli, "fabric.rail.*")
    finally:
        cli("lab", "fault", "clear", timeout_s=STEP_S)
    injected = faults.Injected(fault.name, SLOW, RAIL, percent=float(PERCENT), side="node", other=0)
    wanted = Wanted(faults.seen_by(contract, fault.name), SLOW, fault.culprits(injected))
    return ", ".join(failed_claims(report)) or f"nothing: {report['verdict']}", problems(wanted, report)


def boot_line(cli: Cli) -> Found:
    """A node that lost its words is found after its next boot; a repair drains it, writes them, boots it and gives it back."""
    words = contract_store.load(cli.work)
    wanted = words.class_of(words.node(BOOTED)).boot_line
    before = cli.ssh(BOOTED, BOOT_ID, SSH_S)
    cli.ssh(BOOTED, LOSE_BOOT_LINE, SSH_S, may_fail=True)
    lost = _booted_since(cli, before)
    bad = [f"{word} is on the line of a menu without it" for word in wanted if word in lost.split()]
    seen = verdicts(validated(cli, BOOT_LINE), BOOT_LINE)
    bad += [
        f"{node} is {verdict} without its words"
        for node, verdict in seen.items()
        if (verdict == "fail") != (node == BOOTED)
    ]
    boot = cli.ssh(BOOTED, BOOT_ID, SSH_S)
    done = cli("node", "repair", BOOTED, "--yes", status=None, timeout_s=STEP_S)
    bad += (
        [f"the repair ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}"]
        if done.returncode
        else []
    )
    bad += ["the repair did not boot it"] if cli.ssh(BOOTED, BOOT_ID, SSH_S) == boot else []
    line = cli.ssh(BOOTED, "cat /proc/cmdline", SSH_S).split()
    bad += [f"after the repair {word} is not on the line" for word in wanted if word not in line]
    links = rdma_link.plain(cli.ssh(BOOTED, "rdma link", SSH_S))["links"]
    active = sum(one["state"] == "ACTIVE" for one in links)
    bad += (
        [f"after the boot {active} of {len(links)} RDMA links are active"]
        if active != len(links) or not links
        else []
    )
    mounted = cli.ssh(BOOTED, "findmnt -no FSTYPE /local", SSH_S, may_fail=True).strip()
    bad += [] if mounted == "xfs" else [f"after the boot /local is {mounted or 'not mounted'}"]
    return f"{' '.join(wanted)}: lost at a boot, back after the repair's", bad


def _booted_since(cli: Cli, boot: str) -> str:
    """The kernel's command line, once the node has booted again."""

    def again() -> bool:
        try:
            return cli.ssh(BOOTED, BOOT_ID, SSH_S, may_fail=True) not in ("", boot)
        except subprocess.TimeoutExpired:
            return False

    wait_for(again, STEP_S)
    return cli.ssh(BOOTED, "cat /proc/cmdline", SSH_S)


def validated(cli: Cli, claim: str) -> dict[str, Any]:
    """The report of some claims."""
    said = cli("validate", "--claim", claim, "--json", status=None, timeout_s=STEP_S).stdout
    report: dict[str, Any] = json.loads(said)
    return report


def verdicts(report: Mapping[str, Any], claim: str) -> dict[str, str]:
    return {one["node"]: one["verdict"] for one in report["claims"] if one["claim"] == claim}


STEPS: steps.Steps = {
    "`up`": up,
    "devices of a job": devices,
    "`rail-slow`": slow_rail,
    "boot line": boot_line,
}


def rows(cli: Cli) -> Iterator[Row]:
    """Each step."""
    return steps.rows(cli, STEPS)
