"""The small fine-tuning jobs for the scheduler: where each goes, its batch script, its options. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from railbed.contract import FineTuning, Machine
from railbed.defaults import STEP_COMMENT

NAME = "railbed-finetuning"
"""What names of its jobs begin with; each round has one of its own, so that all of its jobs are found again, and no other's."""
READY_S = 90.0
"""How long a job waits for the others before it reads the model; those that run one after the other never meet."""
STEPS = {"cpu": 12, "cuda": 20}
START_S = {"cpu": 120.0, "cuda": 300.0}
"""In which all jobs come from submission to end, beside the load of their model: PyTorch is read by all of them at once. The
second is a guess, as no run was seen on GPUs."""
SLOWEST = 5.0
"""Times the planned seconds of the load, after which it counts as stuck."""
SCRIPT = """#!/bin/bash
export PYTHONPATH={stack} PYTHONDONTWRITEBYTECODE=1
exec srun --mpi=none --kill-on-bad-exit=1 --ntasks-per-node={ranks} --cpu-bind=none \\
  python3 {folder}/lora_job.py run --device {device} --folder {folder} --job {job} --readers {readers} \\
  --ready-s {ready_s} --steps {steps}
"""


@dataclass(frozen=True)
class Work:
    """Jobs that are submitted at once, on nodes that are idle."""

    wanted: FineTuning
    machine: Machine
    nodes: Sequence[str]
    first_step_s: float
    """Goal."""
    name: str
    """Of each job of this round."""

    @property
    def nodes_per_job(self) -> int:
        return -(-self.wanted.gpus // self.machine.gpus)

    @property
    def gpus_per_node(self) -> int:
        """Of one job."""
        return min(self.wanted.gpus, self.machine.gpus)

    @property
    def ranks(self) -> int:
        """Of one job on each of its nodes: one a GPU; on processors one in all, as a node has few."""
        return self.gpus_per_node if self.machine.trains_on == "cuda" else 1

    @property
    def placed(self) -> list[list[str]]:
        """Nodes of each job: side by side over all nodes, then from the first one again."""
        each = self.nodes_per_job
        places = [list(self.nodes[at : at + each]) for at in range(0, len(self.nodes) - each + 1, each)]
        return [places[job % len(places)] for job in range(self.wanted.jobs)]

    @property
    def readers(self) -> int:
        """Reads of the base model."""
        return self.wanted.jobs * self.nodes_per_job

    @property
    def limit_s(self) -> float:
        """Submission to end of all jobs; longer than the goal, so that a job that misses it is seen."""
        load = SLOWEST * (self.wanted.load_s or 0.0)
        return (START_S[self.machine.trains_on] + load + 2 * self.first_step_s) * self.machine.slowdown


def nodes_needed(wanted: FineTuning, machine: Machine, computes: int) -> int:
    """Nodes over which the jobs are spread."""
    each = -(-wanted.gpus // machine.gpus)
    return min(computes - computes % each, wanted.jobs * each)


def batch(work: Work, job: int, *, stack: str, folder: str, reservation: str = "") -> tuple[str, list[str]]:
    """The script of one job and what sbatch is told. ``stack``: where the training stack is."""
    nodes = work.placed[job]
    script = SCRIPT.format(
        stack=shlex.quote(stack), folder=shlex.quote(folder), ranks=work.ranks, device=work.machine.trains_on, job=job,
        readers=work.readers, ready_s=int(READY_S * work.machine.slowdown), steps=STEPS[work.machine.trains_on],
    )  # fmt: skip
    options = [
        f"--job-name={work.name}", f"--comment={STEP_COMMENT}", "--no-requeue", f"--nodes={len(nodes)}",
        f"--nodelist={','.join(nodes)}", f"--ntasks-per-node={work.ranks}", f"--gpus-per-node={work.gpus_per_node}",
        f"--time={int(work.limit_s // 60) + 1}", f"--chdir={folder}", f"--output={folder}/job-{job}.out",
        *([f"--reservation={reservation}"] if reservation else []),
    ]  # fmt: skip
    return script, options
