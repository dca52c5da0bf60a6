"""Slurm's Epilog, on each node of a job after it: ends processes that the job left, and frees shared memory that it left.

Only of an ordinary user with no other job on the node and no login to it: what is left then is nobody's. Where that cannot be
lines all is left as it is, and claim ``node.leftovers`` finds it. GPUs are set back at the start of the next job (``prolog.py``).
Exit status always 0: another one would drain the node (slurm.conf(5), Epilog).

Reads Slurm's SLURM_JOB_ID and SLURM_JOB_UID. Python 3.9, standard library only.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
import time
from collections.abc import Iterable
from typing import Optional

# Python is started with -I, which finds nothing beside the program.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from railbed.validate.node.probe import Probe
from railbed.validate.node.process_table import Process, below, in_login, is_step, ordinary, table_of

SHARED = "/dev/shm"
ANSWER_S = 2.0


def left(table: dict[int, Process], uid: int, job: str, steps: dict[int, str]) -> Optional[list[int]]:
    """Processes of ``uid`` that are nobody's any more; None where the user may have another job here, or is logged in.

    ``steps``: process number → job, of Slurm's processes above steps. A step of another job is somebody else's for sure only
    where another ordinary user's processes are below it.
    """
    mine = [number for number, one in table.items() if one.uid == uid]
    if any(in_login(number, table) for number in mine):
        return None
    for above, of in steps.items():
        owners = {one.uid for number, one in table.items() if below(number, table, above)}
        others = {owner for owner in owners if ordinary(owner)} - {uid}
        if of != job and (uid in owners or not others):
            return None
    return sorted(mine)


def steps_of(probe: Probe, table: dict[int, Process]) -> dict[int, str]:
    """Process number → job of each step here, empty where its title says none (``slurmstepd: [17.batch]``)."""
    found = {}
    for number, one in table.items():
        if is_step(probe, number, one):
            title = re.match(r"slurmstepd: \[(\d+)\.", probe.read(f"/proc/{number}/cmdline") or "")
            found[number] = title[1] if title else ""
    return found


def end(probe: Probe, numbers: Iterable[int], uid: int) -> list[str]:
    """Ends processes, each only while it is still that user's: its number may be another one's by now."""
    lines = []
    for number in numbers:
        try:
            handle = os.pidfd_open(number)
        except OSError:
            continue
        try:
            one = table_of(probe, [number]).get(number)
            if one and one.uid == uid:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                lines.append(f"ended process {number} ({one.name}) of user {uid}")
        except OSError as refused:
            lines.append(f"process {number} of user {uid} cannot be ended: {refused.strerror}")
        finally:
            os.close(handle)
    return lines


def free(probe: Probe, uid: int, before_s: float) -> list[str]:
    """Removes files of the user below /dev/shm, and System V memory and semaphores that nobody has attached.

    Only what was there before the processes were looked at: what came since is of a job that came since.
    """
    lines = []
    folder = probe.root + SHARED
    for name in probe.names(SHARED):
        path = os.path.join(folder, name)
        try:
            found = os.lstat(path)
            if found.st_uid == uid and found.st_ctime < before_s and not stat.S_ISDIR(found.st_mode):
                os.unlink(path)
                lines.append(f"removed {SHARED}/{name} of user {uid}")
        except OSError as refused:
            lines.append(f"{SHARED}/{name} of user {uid} stays: {refused.strerror}")
    for kind, option in (("shm", "-m"), ("sem", "-s")):
        rows = [row.split() for row in (probe.read(f"/proc/sysvipc/{kind}") or "").splitlines()]
        for row in rows[1:]:
            known = dict(zip(rows[0], row))  # noqa: B905 - Python 3.9
            numbers = {name: int(text) for name, text in known.items() if text.isdigit()}
            if (
                numbers.get("uid") == uid
                and not numbers.get("nattch")
                and numbers.get("ctime", before_s) < before_s
            ):
                answer = probe.run(["ipcrm", option, known[f"{kind}id"]], ANSWER_S)
                done = answer.first_line if answer.code else "done"
                lines.append(f"ipcrm {option} {known[f'{kind}id']} of user {uid}: {done}")
    return lines


def main() -> int:
    """One end of a job on this node."""
    uid, job = os.environ.get("SLURM_JOB_UID", ""), os.environ.get("SLURM_JOB_ID", "")
    if not uid.isdigit() or not ordinary(int(uid)):
        return 0
    probe, before_s = Probe(os.environ.get("RAILBED_ROOT", "")), time.time()
    table = table_of(probe)
    numbers = left(table, int(uid), job, steps_of(probe, table)) if 1 in table else None
    if numbers is None:
        return 0
    lines = [*end(probe, numbers, int(uid)), *free(probe, int(uid), before_s)]
    if lines:
        import syslog

        syslog.openlog("railbed-epilog")
        for line in lines:
            syslog.syslog(syslog.LOG_WARNING, f"job {job}: {line}")
            print(line, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
