"""Slurm's Prolog, on each node of a job before it starts: a quick check of rails and GPUs, and GPUs as a job finds them.

A fault for which a node may drain itself (``faults.py``), seen twice, goes through the health check's own guards
(``drains.py``): the node's drain, its reason, and the limit. Only where the node is drained then, and the job can start
elsewhere by itself (a batch job that may be requeued), exit status 10 asks for that. All else starts the job: one that cannot
be requeued would be lost, and what cannot be looked at is neither healthy nor broken. Slurm is asked nothing unless there is a
fault.

Reads /etc/railbed/expectations.json as the health check does, and Slurm's SLURM_JOB_ID, SLURM_JOB_GPUS, SLURMD_NODENAME.
Python 3.9, standard library only.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

# Python is started with -I, which finds nothing beside the program.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from railbed.validate.node import gpu_state, store
from railbed.validate.node.faults import FAULTS, drains
from railbed.validate.node.gpus import driver, healthy
from railbed.validate.node.nics import nics
from railbed.validate.node.probe import Finding, Probe, Stuck, Symptom, read_stuck

EXPECTATIONS_FILE = "/etc/railbed/expectations.json"
START, REQUEUE = 0, 10
"""Exit statuses: the job starts; Slurm requeues it (the script around this makes 1 of it)."""
SECOND_CHECK_S = 6.0
"""There is a fault by then, and nobody wants the node."""
ANSWER_S = 5.0


def quick_check(
    probe: Probe, want: dict[str, Any], job_gpus: str
) -> tuple[list[Symptom], list[gpu_state.Gpu]]:
    """Faults for which the node may be drained, and the job's GPUs as they are set."""
    findings: list[Finding] = [nics(probe, want)] if want.get("rails") else []
    gpus: list[gpu_state.Gpu] = []
    # Whatever is asked of a driver in which a process hangs would hang as well: one process more for each job.
    if want.get("gpus") and not probe.hangs(gpu_state.QUERY[0]):
        answer = probe.run(gpu_state.QUERY)
        gpus = gpu_state.listed(answer.out)
        if answer.code or len(gpus) != int(want["gpus"]):
            # What is wrong with them; a row may also be of a form that nobody knows, and then this says that all is well.
            findings += [healthy(probe, want), driver(probe, want)]
    faults = [one for finding in findings for one in finding.symptoms if drains(one.code)]
    return faults, of_job(gpus, job_gpus, int(want.get("gpus") or 0), minors(probe))


def minors(probe: Probe) -> dict[str, int]:
    """PCI bus id → number of the device file, as the driver tells; empty where it does not (nvidia driver README, /proc)."""
    found = {}
    for place in probe.names("/proc/driver/nvidia/gpus"):
        match = re.search(
            r"^Device Minor:\s+(\d+)", probe.read(f"/proc/driver/nvidia/gpus/{place}/information") or "", re.M
        )
        if match:
            found[_short(place)] = int(match[1])
    return found


def of_job(
    gpus: Sequence[gpu_state.Gpu], job_gpus: str, count: int, known: dict[str, int]
) -> list[gpu_state.Gpu]:
    """Those that Slurm gave the job, by the numbers of their device files. None where the numbers cannot be told for sure: the
    driver does not say and some GPU is missing, so that indices have closed up."""
    wanted = gpu_state.numbers(job_gpus)
    if not wanted or (not known and len(gpus) != count):
        return []
    return [one for one in gpus if (known.get(_short(one.place)) if known else one.index) in wanted]


def _short(place: str) -> str:
    """A PCI address in the kernel's form: nvidia-smi writes a domain of eight digits and capitals."""
    return place.lower()[-12:]


def main() -> int:
    """One start of a job on this node."""
    want = store.load(os.environ.get("RAILBED_EXPECTATIONS", EXPECTATIONS_FILE))
    root, job = os.environ.get("RAILBED_ROOT", ""), os.environ.get("SLURM_JOB_ID", "")
    gpus = os.environ.get("SLURM_JOB_GPUS", "")
    if not want:
        return _say(f"job {job}: nobody can say what this node should be")
    try:
        check_s, confirm_s = (float(want["health"][key]) for key in ("start_check_s", "start_confirm_s"))
    except (KeyError, TypeError, ValueError) as wrong:
        return _say(f"job {job}: the expectations of this node are not those of this program: {wrong!r}")
    stuck = known_stuck(root)
    probe = Probe(root, time.monotonic() + check_s, stuck)
    faults, mine = quick_check(probe, want, gpus)
    if faults:
        time.sleep(confirm_s)
        probe = Probe(root, time.monotonic() + SECOND_CHECK_S, probe.stuck)
        again, mine = quick_check(probe, want, gpus)
        faults = still_there(faults, again)
    keep_stuck(root, stuck, probe.stuck)
    if faults:
        # Costs more than all else, and a start without a fault has no use for it.
        from railbed.validate.node.start_refused import refuse

        return _say(*refuse(root, want, faults, job, REQUEUE))
    probe = Probe(root, stuck=probe.stuck)
    lines = set_back(probe, mine)
    keep_stuck(root, stuck, probe.stuck)
    return _say(*lines)


def still_there(before: Sequence[Symptom], now: Sequence[Symptom]) -> list[Symptom]:
    """The faults of now that were there before. Those of GPUs by their code alone: which number a missing one has is a guess
    until the driver tells, and any of them is enough for the drain."""

    def key(one: Symptom) -> tuple[str, str]:
        return one.code, "" if FAULTS[one.code].part == "gpu" else one.subject

    seen = {key(one) for one in before}
    return [one for one in now if key(one) in seen]


def known_stuck(root: str) -> dict[str, Stuck]:
    """Processes that the health check and earlier starts could not end."""
    kept = (store.load(root + path).get("stuck") for path in (store.MEMORY, store.STARTS))
    return {line: one for found in kept for line, one in read_stuck(found).items()}


def keep_stuck(root: str, before: dict[str, Stuck], now: dict[str, Stuck]) -> None:
    """Writes down what hangs, where that is more than was known; in a file of its own, as the health check writes its anew."""
    if now.items() - before.items():
        content = {"stuck": {line: asdict(one) for line, one in now.items()}}
        store.save(root + store.STARTS, json.dumps(content))


def set_back(probe: Probe, gpus: Sequence[gpu_state.Gpu]) -> list[str]:
    """Sets the job's GPUs back; what was done, and what was not: nvidia-smi ends with 0 where a GPU does not know a setting."""
    commands = gpu_state.resets(gpus)
    if not commands:
        return []
    answers = [probe.run(command, ANSWER_S) for command in commands]
    indices = {one.index for one in gpus}
    now = [one for one in gpu_state.listed(probe.run(gpu_state.QUERY, ANSWER_S).out) if one.index in indices]
    stay = gpu_state.resets(now) if len(now) == len(indices) else commands
    return [
        f"{' '.join(command)}: {answer.first_line if command in stay else 'done'}"
        for command, answer in zip(commands, answers)  # noqa: B905 - Python 3.9
    ]


def _say(*said: str | int) -> int:
    """Lines for the system's log; an exit status among them is given back."""
    lines = [one for one in said if isinstance(one, str)]
    if lines:
        import syslog

        syslog.openlog("railbed-prolog")
        for line in lines:
            syslog.syslog(syslog.LOG_WARNING, line)
            print(line, file=sys.stderr)
    return next((one for one in said if isinstance(one, int)), START)


if __name__ == "__main__":
    sys.exit(main())
