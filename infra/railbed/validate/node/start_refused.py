"""A job is to start on a node with a fault: the node's drain, by the health check's guards, and whether the job can go on."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Union

from railbed.validate.node import store
from railbed.validate.node.controller import SCONTROL, Controller
from railbed.validate.node.drains import Drains, Memory, Settings
from railbed.validate.node.health import HealthResult
from railbed.validate.node.probe import Probe, Symptom

ANSWER_S = 5.0
LOCK_S = 8.0
"""For a run of the health check that is just draining the node itself."""


def may_requeue(line: str) -> bool:
    """Whether Slurm starts the job elsewhere by itself, from its line of `scontrol show job --oneliner`: a batch job that did not
    refuse to be requeued. An interactive one, or one of `--no-requeue`, would be cancelled (docs/reference/health.md). BatchFlag
    is a count: Slurm adds to it where it requeues (SchedMD/slurm, src/slurmctld/job_mgr.c), so such a job comes with 2."""
    return all(re.search(rf"(?:^|\s){one}(?:\s|$)", line) for one in ("Requeue=1", r"BatchFlag=[1-9]\d*"))


def refuse(
    root: str, want: dict[str, Any], faults: Sequence[Symptom], job: str, requeue: int
) -> list[Union[str, int]]:
    """Drains the node where the guards allow it. What is to be said, and ``requeue`` where the job is to go elsewhere."""
    lines: list[Union[str, int]] = [f"job {job}: {one.code} ({one.subject}): {one.text}" for one in faults]
    try:
        settings = replace(Settings.read(want["health"]), confirm_s=0.0)
    except (KeyError, TypeError) as wrong:
        return [*lines, f"nobody can say when this node may drain itself: {wrong!r}"]
    controller = Controller(Probe(root), os.environ.get("SLURMD_NODENAME") or want["node"])
    with store.locked(root + store.LOCK, LOCK_S):
        _drain(root, want, controller, settings, faults)
        own = controller.own()
    if own is None or not own.drained:
        return [*lines, "the node was not drained for it, and the job starts: see its health report"]
    answer = Probe(root).execute([*SCONTROL, "show", "job", job, "--oneliner"], ANSWER_S)
    if answer.code or not may_requeue(answer.out):
        return [*lines, f"job {job} cannot be requeued, and starts: its user should end it"]
    return [*lines, f"job {job} is requeued: {own.reason}", requeue]


def _drain(
    root: str, want: dict[str, Any], controller: Controller, settings: Settings, faults: Sequence[Symptom]
) -> None:
    """As a run of the health check that has seen the fault for long enough. What it remembers the next run goes on with."""
    before = store.load(root + store.MEMORY)
    memory = Memory(**store.known(Memory, before.get("memory")))

    def save(one: Memory) -> None:
        store.save(root + store.MEMORY, json.dumps({**before, "memory": asdict(one)}))

    returned = store.load(root + store.RETURNS).get("at", [])
    drains = Drains(
        controller.node, want["pool"], settings, controller, memory, returned, save, lambda _: False
    )
    drains.tend(HealthResult(faults=tuple(faults)), time.monotonic())
