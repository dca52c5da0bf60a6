#!/usr/bin/python3 -I
"""railbed-info: what is free, my jobs, my share, how to start. For who uses the cluster; asks Slurm as whoever runs it."""

from __future__ import annotations

import collections
import getpass
import grp
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

TIMEOUT_S = 20
PROJECTS = "/etc/railbed/info.json"
REASONS = {
    "Priority": "others are before it",
    "Resources": "it waits for nodes or GPUs to become free",
    "QOSMaxGRESPerUser": "you have as many GPUs as your tenant lets one member have",
    "AssocGrpGRES": "your tenant has as many GPUs as it may",
    "QOSGrpGRESMinutes": "your tenant's GPU-hours do not cover its whole --time",
    "QOSMaxWallDurationPerJobLimit": "its --time is longer than your tenant may",
    "ReqNodeNotAvail": "nodes that it asks for are drained or reserved",
    "JobHeldAdmin": "an administrator holds it, or a node failed under it: ask",
    "Dependency": "it waits for another job",
    "BeginTime": "it starts at its time",
}
"""Why a job waits, as squeue writes it (squeue(1), JOB REASON CODES), in words."""


def ask(*argv: str) -> str:
    """What the program printed; empty, and its words on stderr, where it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        print("%s: %s" % (argv[0], failed), file=sys.stderr)
        return ""
    if done.returncode != 0:
        print("%s: %s" % (argv[0], done.stderr.strip()), file=sys.stderr)
    return done.stdout


def gpus(text: str) -> int:
    """``gpu:8(IDX:0-7)`` and ``gpu:h100:8`` → 8."""
    return sum(int(count) for count in re.findall(r"(?:^|,)gpu(?::[^:,(]+)?:(\d+)", text))


def free() -> List[str]:
    """One line for each partition."""
    there: Dict[str, List[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for line in ask(
        "sinfo", "-h", "-N", "-O", "Partition:64,Gres:96,GresUsed:96,StateCompact:24"
    ).splitlines():
        name, gres, used, state = line[:64].strip(), line[64:160], line[160:256], line[256:].strip()
        count = gpus(gres.strip())
        usable = state.startswith(("idle", "mix"))
        here = there[name]
        here[0] += max(0, count - gpus(used.strip())) if usable else 0
        here[1] += count
        here[2] += 1 if state == "idle" else 0
    return [
        "  %-12s %4d of %4d GPUs free, %d nodes idle" % (name, *seen) for name, seen in sorted(there.items())
    ]


def jobs() -> List[str]:
    """One line for each job of this user, with why it waits."""
    lines = []
    for line in ask("squeue", "--me", "-h", "-o", "%i|%P|%T|%D|%M|%l|%r|%j").splitlines():
        number, partition, state, nodes, ran, limit, reason, name = line.split("|", 7)
        why = REASONS.get(reason, reason) if state == "PENDING" else "%s of %s" % (ran, limit)
        lines.append(
            "  %-10s %-10s %-10s %s nodes  %s  (%s)" % (number, partition, state.lower(), nodes, name, why)
        )
    return lines


def shares() -> List[str]:
    """One line for each account of this user."""
    lines = []
    for line in ask(
        "sshare", "-U", "-P", "-n", "-o", "Account,RawShares,EffectvUsage,FairShare"
    ).splitlines():
        account, share, used, factor = line.split("|", 3)
        lines.append(
            "  %-12s share in it %s, used %s of all recent use, fair-share factor %s (1: next, 0: last)"
            % (account.strip(), share, used, factor)
        )
    return lines


def how(user: str) -> List[str]:
    """Where to put files, and the first command."""
    try:
        known = json.loads(Path(PROJECTS).read_text())
    except OSError:
        known = {"projects": {}}
    mine = {grp.getgrgid(gid).gr_name for gid in os.getgroups() if _named(gid)}
    lines = [
        "  project directory of %s: %s" % (name, path)
        for name, path in sorted(known["projects"].items())
        if name in mine
    ]
    return [
        *lines,
        "  sbatch --gpus=1 --time=00:10:00 --wrap 'nvidia-smi -L'   then: squeue --me, scancel JOB, sacct -X",
        "  a node lets %s in over SSH while a job of %s's own runs there" % (user, user),
    ]


def _named(gid: int) -> bool:
    try:
        grp.getgrgid(gid)
    except KeyError:
        return False
    return True


def main() -> int:
    """Prints the four parts."""
    parts = [
        ("Free now", free()),
        ("Your jobs", jobs()),
        ("Your share", shares()),
        ("Start", how(getpass.getuser())),
    ]
    for title, lines in parts:
        print(title)
        print("\n".join(lines or ["  none"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
