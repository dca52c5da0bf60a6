"""Strategy plugin: Ansible's linear one, with fewer processes.

The linear strategy starts a process for every task on every host. Half of a node's tasks here are assertions over what the
controller knows already, and the start of a process costs more than most of them: they are judged where they are. Of the
others each process takes several hosts in turn, as many as it takes to keep all forks at work: as many hosts are worked on
at once as before, and what a process learns with the first (plugins, templates, packed modules) serves the rest.

Order, states, callbacks and results are those of the linear strategy.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: batches
short_description: Linear, with fewer processes
description:
  - Task execution is in lockstep per host batch, as with V(linear).
  - Actions that only look at variables run in the controller's own process; for other tasks one process takes several
    hosts in turn.
author: railbed
"""

import time
from dataclasses import dataclass
from typing import Any

from ansible import context
from ansible._internal._task import TaskContext
from ansible.executor.process.worker import WorkerProcess
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.module_utils._internal import _datatag
from ansible.plugins.loader import get_plugin_loader_namespace
from ansible.plugins.strategy.linear import StrategyModule as Linear

ON_THE_SPOT = frozenset(
    {
        f"{prefix}{name}"
        for name in ("assert", "validate_argument_spec")
        for prefix in ("", "ansible.builtin.")
    }
)
"""Actions that look at variables and at nothing else."""
POLL_S = 0.001
"""As the base class does, a little slower than its tenth of this."""

UNCHANGING = (
    _datatag.AnsibleDatatagBase, _datatag._AnsibleTagsMapping, _datatag._AnsibleTaggedStr, _datatag._AnsibleTaggedInt,
    _datatag._AnsibleTaggedFloat,
)  # fmt: skip


def _itself(one: Any, _: dict[int, Any]) -> Any:
    return one


# Each look-up of a template makes a deep copy of all variables. What cannot change was taken apart and built anew there,
# the notes of where it stands in which file included: with 20 nodes a quarter of all that the controller did.
for _kind in UNCHANGING:
    _kind.__deepcopy__ = _itself


@dataclass(frozen=True)
class Job:
    """One task on one host."""

    host: Any
    task: Any
    task_vars: dict[str, Any]
    play_context: Any


class Batch(WorkerProcess):  # type: ignore[misc]
    """A process that runs several jobs, one after the other."""

    def __init__(self, jobs: list[Job], **shared: Any) -> None:
        first = jobs[0]
        super().__init__(
            host=first.host,
            task=first.task,
            task_vars=first.task_vars,
            play_context=first.play_context,
            **shared,
        )
        self._jobs = jobs

    def _run(self) -> None:
        for job in self._jobs:
            _execute(job, self._loader, self._shared_loader_obj, self._final_q, self._variable_manager)


class StrategyModule(Linear):  # type: ignore[misc]
    """The strategy."""

    def __init__(self, tqm: Any) -> None:
        super().__init__(tqm)
        self._waiting: list[Job] = []

    def _queue_task(self, host: Any, task: Any, task_vars: dict[str, Any], play_context: Any) -> None:
        size = -(-len(self._hosts_cache) // len(self._workers))
        job = Job(host, task, task_vars, play_context)
        if task.action in ON_THE_SPOT:
            self._started(job)
            _execute(job, self._loader, get_plugin_loader_namespace(), self._final_q, self._variable_manager)
        elif size < 2 or task.throttle or task.run_once:
            super()._queue_task(host, task, task_vars, play_context)
        else:
            self._started(job)
            self._waiting.append(job)
            if len(self._waiting) >= size:
                self._send()

    def _wait_on_pending_results(self, iterator: Any) -> list[Any]:
        if self._waiting:
            self._send()
        found: list[Any] = super()._wait_on_pending_results(iterator)
        return found

    def _started(self, job: Job) -> None:
        """What the base class notes of a task that is on its way."""
        self._queued_task_cache[(job.host.name, job.task._uuid)] = {
            "host": job.host, "task": job.task, "task_vars": job.task_vars, "play_context": job.play_context,
        }  # fmt: skip
        self._pending_results += 1
        self._tqm.send_callback("v2_runner_on_start", job.host, job.task)

    def _send(self) -> None:
        """Gives what waits to the next process that may start."""
        jobs, self._waiting = self._waiting, []
        place = self._free_place()
        worker = Batch(
            jobs, final_q=self._final_q, loader=self._loader, variable_manager=self._variable_manager,
            shared_loader_obj=get_plugin_loader_namespace(), worker_id=place, cliargs=context.CLIARGS,
        )  # fmt: skip
        self._workers[place] = worker
        worker.start()

    def _free_place(self) -> int:
        """Waits for a process to end where all forks are at work."""
        while True:
            for place, worker in enumerate(self._workers):
                if worker is None or not worker.is_alive():
                    if worker is not None:
                        worker.close()
                    return place
            time.sleep(POLL_S)


def _execute(job: Job, loader: Any, plugins: Any, results: Any, variables: Any) -> None:
    """Runs a job and sends its result. The task is a copy: running one fills its fields in with what is this host's."""
    task = job.task.copy(exclude_parent=True, exclude_tasks=True)
    task._parent = job.task._parent
    with TaskContext(task):
        done = TaskExecutor(
            job.host, task, job.task_vars, job.play_context, loader, plugins, results, variables
        ).run()
        results.send_task_result(
            _RawTaskResult(host=job.host, task=task, return_data=done, task_fields=task.dump_attrs())
        )
