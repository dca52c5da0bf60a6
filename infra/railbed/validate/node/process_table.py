"""Processes of a node, and whose they are. Python 3.9, standard library only.

Who is an ordinary user: systemd's "Users, Groups, UIDs and GIDs on systemd Systems".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from railbed.validate.node.probe import Probe

FIRST_UID = 1000
OF_SYSTEMD = range(61184, 65536)
"""Dynamic users of services, nobody, and those of Debian's packages from 60000 on that are near it."""
OF_DEBIAN = range(60000, 61184)
"""Given out to packages for good (Debian Policy, 9.2.2)."""
STEP = "slurmstepd"
"""Slurm's process above each step of a job."""
KEEPS_CGROUP = "infinity"
LOGINS = ("sshd", "login", "ssm-session-wor")
"""What a login is below: SSH, a console, AWS' Session Manager. The kernel keeps 15 characters of a name."""


@dataclass(frozen=True)
class Process:
    """A row of /proc."""

    name: str
    parent: int
    uid: int


def ordinary(uid: int) -> bool:
    """Whether a person's."""
    return uid >= FIRST_UID and uid not in OF_SYSTEMD and uid not in OF_DEBIAN


def table_of(probe: Probe, numbers: Iterable[int] = ()) -> dict[int, Process]:
    """Process number → what /proc tells of it (proc_pid_status(5)); of all, or of ``numbers``."""
    found = {}
    for number in [str(one) for one in numbers] or probe.names("/proc"):
        status = (probe.read(f"/proc/{number}/status") or "") if number.isdigit() else ""
        told = dict(re.findall(r"^(Name|PPid|Uid):\t(\S*)", status, re.M))
        if told.get("PPid", "").isdigit() and told.get("Uid", "").isdigit():
            found[int(number)] = Process(told["Name"], int(told["PPid"]), int(told["Uid"]))
    return found


def is_step(probe: Probe, number: int, one: Process) -> bool:
    """Whether it is above a step of a job. With cgroup v2 slurmd has one more for good, `slurmstepd infinity`, which only keeps
    its place in the tree (Slurm, cgroup_v2 documentation)."""
    words = (probe.read(f"/proc/{number}/cmdline") or "").split("\0")
    return one.name == STEP and words[1:2] != [KEEPS_CGROUP]


def in_login(number: int, table: dict[int, Process]) -> bool:
    """Whether it is below a login, which without a job only administrators have (claim ``node.logins``)."""
    seen: set[int] = set()
    while number in table and number not in seen:
        if table[number].name.startswith(LOGINS):
            return True
        seen.add(number)
        number = table[number].parent
    return False


def below(number: int, table: dict[int, Process], above: int) -> bool:
    """Whether a process is, however far, a child of ``above``."""
    seen: set[int] = set()
    while number in table and number not in seen:
        seen.add(number)
        number = table[number].parent
        if number == above:
            return True
    return False
