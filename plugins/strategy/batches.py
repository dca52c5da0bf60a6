"""Strategy plugin: Ansible's linear one, with fewer processes.

The linear strategy starts a process for every task on every host. Half of a node's tasks here are assertions over what the
controller knows already, or pass a node over, and the start of a process costs more than most of them: they are judged
where they are. Of the
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

import ctypes
import gc
import os
import signal
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import connection
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible._internal._task import TaskContext
from ansible.errors import AnsibleError
from ansible.executor.process import worker
from ansible.executor.process.worker import WorkerProcess
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.plugins.loader import get_plugin_loader_namespace
from ansible.plugins.strategy.linear import StrategyModule as Linear

from railbed import templating

ON_THE_SPOT = frozenset(
    {
        f"{prefix}{name}"
        for name in ("assert", "set_fact", "validate_argument_spec")
        for prefix in ("", "ansible.builtin.")
    }
)
"""Actions that look at variables and at nothing else."""
PR_SET_PDEATHSIG = 1
DEAD_WORKER_S = 0.1
"""How long a worker that was killed can go unseen."""

templating.begin(Path(constants.ANSIBLE_HOME) / "compiled")


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
        worker.current_worker = self
        self._end_with_parent()
        # What was there before is the parent's: looking through it for garbage would copy it into this process, page by page.
        gc.freeze()
        for job in self._jobs:
            _execute(job, self._loader, self._shared_loader_obj, self._final_q, self._variable_manager)

    def _end_with_parent(self) -> None:
        """An Ansible that is killed leaves nobody who takes results, and a worker would wait for that (prctl: Linux)."""
        with suppress(AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != self._parent_pid:
            os.kill(os.getpid(), signal.SIGTERM)


class Results(deque[Any]):
    """Results that came back, and a bell for who waits for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()

    def append(self, one: Any) -> None:
        """What Ansible's thread does with each result."""
        super().append(one)
        self.came.set()


class StrategyModule(Linear):  # type: ignore[misc]
    """The strategy."""

    def __init__(self, tqm: Any) -> None:
        super().__init__(tqm)
        self._results = Results()
        self._waiting: list[Job] = []
        for callback in tqm._callback_plugins:
            if hasattr(callback, "_host_start"):
                callback.v2_runner_on_start = partial(_note_start, callback)

    def _queue_task(self, host: Any, task: Any, task_vars: dict[str, Any], play_context: Any) -> None:
        job = Job(host, task, task_vars, play_context)
        if task.action in ON_THE_SPOT or _is_passed_over(task, task_vars):
            self._started(job)
            _execute(job, self._loader, get_plugin_loader_namespace(), self._final_q, self._variable_manager)
        elif task.throttle:
            super()._queue_task(host, task, task_vars, play_context)
        else:
            self._started(job)
            self._waiting.append(job)
            # With a condition nobody knows yet how many hosts are left for how many processes.
            size = self._share(len(self._hosts_cache))
            if not task.when and len(self._waiting) >= size:
                self._send(size)

    def _wait_on_pending_results(self, iterator: Any) -> list[Any]:
        """Takes results as they come. Ansible's own looks for them at intervals, of which a hundred tasks pay one each."""
        found: list[Any] = []
        while self._pending_results > 0 and not self._tqm._terminated:
            self._send_rest()
            self._refuse_dead()
            self._results.came.clear()
            found += self._process_pending_results(iterator)
            if self._pending_results > 0:
                self._results.came.wait(DEAD_WORKER_S)
        return found

    def _refuse_dead(self) -> None:
        """A worker that was killed never sends its results."""
        if self._tqm.has_dead_workers():
            raise AnsibleError("A worker was found in a dead state")

    def _started(self, job: Job) -> None:
        """What the base class notes of a task that is on its way."""
        self._queued_task_cache[(job.host.name, job.task._uuid)] = {
            "host": job.host, "task": job.task, "task_vars": job.task_vars, "play_context": job.play_context,
        }  # fmt: skip
        self._pending_results += 1
        self._tqm.send_callback("v2_runner_on_start", job.host, job.task)

    def _share(self, hosts: int) -> int:
        """How many of so many hosts one process takes."""
        return -(-hosts // len(self._workers))

    def _send_rest(self) -> None:
        """Gives the hosts that are left to as many processes as it takes, and no more."""
        if not self._waiting:
            return
        size = self._share(len(self._waiting if self._waiting[0].task.when else self._hosts_cache))
        while self._waiting:
            self._send(size)

    def _send(self, size: int) -> None:
        """Gives so many of those that wait to the next process that may start."""
        jobs, self._waiting = self._waiting[:size], self._waiting[size:]
        place = self._free_place()
        batch = Batch(
            jobs, final_q=self._final_q, loader=self._loader, variable_manager=self._variable_manager,
            shared_loader_obj=get_plugin_loader_namespace(), worker_id=place, cliargs=context.CLIARGS,
        )  # fmt: skip
        self._workers[place] = batch
        batch.start()

    def _free_place(self) -> int:
        """Waits for a process to end where all forks are at work."""
        while True:
            for place, batch in enumerate(self._workers):
                if batch is None or not batch.is_alive():
                    if batch is not None:
                        self._refuse_dead()
                        batch.close()
                    return place
            connection.wait([batch.sentinel for batch in self._workers])


def _is_passed_over(task: Any, task_vars: dict[str, Any]) -> bool:
    """Whether a task's condition does not hold on this host: no process is needed to say so."""
    if not task.when or task.loop is not None or task.loop_with or task.delegate_to:
        return False
    try:
        return not task._resolve_conditional(task.when, task_vars)
    except AnsibleError:
        return False


def _note_start(callback: Any, host: Any, task: Any) -> None:
    """ansible-runner writes a file for each event, to which nobody listens at the start of a task; its end has the duration."""
    del task
    callback._host_start[host.get_name()] = datetime.now(UTC)


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
