"""The scheduler's health check, on the node: checks it, drains it for a fault of its own, and gives it back.

What nodes share is reported and never drained for; what could not be checked is neither healthy nor broken, and is reported
as well. The report is a line that the scheduler keeps with the node, and `/run/railbed/health.json`. With ``--report`` it
only prints what it sees: exit 0 nothing, 1 a fault of the node, 3 something else (2: expectations that cannot be read).

It reads /etc/railbed/expectations.json (``RAILBED_EXPECTATIONS`` names another file)::

    {"node": "h100-0", "pool": "h100", "gpus": 8, "gpu_model": "NVIDIA H100 80GB HBM3", "driver": "570.124.06",
     "rails": [{"index": 0, "netdev": "rail0", "address": "10.91.0.11/24", "mtu": 9000}],
     "mounts": [{"path": "/scratch", "kind": "moosefs", "server": "ctl0"}], "names": ["ctl0"], "time_offset_s": 0.05,
     "health": {…}}                                        (``drains.Settings``)

``RAILBED_ROOT`` puts another folder in front of /sys, /dev, /proc, /run and /var, for tests. Python 3.9, standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict

# Python is started with -I, which finds nothing beside the program.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from railbed.validate.node import store
from railbed.validate.node.controller import Controller
from railbed.validate.node.drains import Drains, Memory, Settings
from railbed.validate.node.health import HealthResult, run_checks
from railbed.validate.node.probe import Probe, Symptom, read_stuck
from railbed.validate.node.report import compose, parse

EXPECTATIONS_FILE = "/etc/railbed/expectations.json"
CHECKS_S = 14.0
"""Of the 25 s after which the script around this program ends it, what the checks may take together; a drain takes the rest."""
LOCK_S = 3.0
"""For the start of a job that is just draining the node; afterwards this run goes on, and both keep the limit."""
HEALTHY, BROKEN, UNUSABLE, REPORTED = 0, 1, 2, 3
"""Exit statuses: of a report, and (2) where nobody can say what the node should be."""


def main(arguments: list[str]) -> int:
    """One run."""
    path = os.environ.get("RAILBED_EXPECTATIONS", EXPECTATIONS_FILE)
    root = os.environ.get("RAILBED_ROOT", "")
    by_hand = "--report" in arguments
    want = store.load(path)
    try:
        settings = Settings.read(want["health"])
    except (KeyError, TypeError) as wrong:
        print(f"{path} does not say what this node should be: {wrong!r}", file=sys.stderr)
        return UNUSABLE
    before = store.load(root + store.MEMORY)
    probe = Probe(root, time.monotonic() + CHECKS_S, read_stuck(before.get("stuck")))
    seen = run_checks(probe, want, by_hand=by_hand)
    if by_hand:
        return _print(seen)
    node = os.environ.get("SLURMD_NODENAME") or want["node"]
    controller = Controller(Probe(root), node)

    def save(memory: Memory) -> None:
        content = {
            "at": time.time(), "memory": asdict(memory), "stuck": {key: asdict(one) for key, one in probe.stuck.items()},
            "faults": [asdict(one) for one in seen.faults], "reports": [asdict(one) for one in seen.reports],
        }  # fmt: skip
        store.save(root + store.MEMORY, json.dumps(content))

    def save_returned(at: list[float]) -> bool:
        return store.save(root + store.RETURNS, json.dumps({"at": at}))

    with store.locked(root + store.LOCK, LOCK_S):
        # Anew: the start of a job may have drained the node since (prolog.py).
        memory = Memory(**store.known(Memory, store.load(root + store.MEMORY).get("memory")))
        returned = store.load(root + store.RETURNS).get("at", [])
        drains = Drains(node, want["pool"], settings, controller, memory, returned, save, save_returned)
        notes = drains.tend(seen, time.monotonic())
    _publish(root, controller, [*seen.reports, *notes], settings.report_mark)
    return HEALTHY


def _print(seen: HealthResult) -> int:
    for word, symptoms in (("broken", seen.faults), ("reported", seen.reports)):
        for one in symptoms:
            print(f"{word}: {one.code} ({one.subject}): {one.text}")
    return BROKEN if seen.faults else REPORTED if seen.reports else HEALTHY


def _publish(root: str, controller: Controller, symptoms: list[Symptom], mark: str) -> None:
    """Leaves a report with the scheduler where it has another one; what a person wrote there stays.

    Reports of the same faults in other words (an offset, a time) are the same: a shared outage must not become a storm.
    """
    line, last = compose(symptoms, mark), store.text(root + store.REPORTED)
    if last is not None and _faults(line, mark) == _faults(last, mark):
        return
    own = controller.own()
    if own is None or (own.comment and not own.comment.startswith(mark)):
        return
    if own.comment == line or controller.comment(line):
        store.save(root + store.REPORTED, line)


def _faults(line: str, mark: str) -> set[tuple[str, str]]:
    return {(one.code, one.subject) for one in parse(line, mark)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
