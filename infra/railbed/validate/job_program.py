"""The reference job for the scheduler: its batch script and options. Pure.

Ranks on GPUs get the whole of their nodes, as in collectives: one rank a GPU, all GPUs of a node in sight of each of its ranks,
and no rank bound to one processor. NCCL's settings for the fabric are in /etc/nccl.conf (role ``nccl``), for both.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from railbed.defaults import NCCL_LOG_FOLDER, STEP_COMMENT
from railbed.validate.collective_programs import LOG
from railbed.validate.job_log import Work

JOB_TIMEOUT_S = {"cpu": 60.0, "cuda": 300.0}
"""Submission to end, both runs, by what the ranks compute on. Measured in the lab (cpu); on GPUs a guess, as no run was seen
there: each run loads torch in every rank, sets up CUDA and NCCL, and writes checkpoints of 1.75 GB."""

NAME = "railbed-reference-job"
PORT = 29600
SCRIPT = """#!/bin/bash
export PYTHONPATH={stack} PYTHONDONTWRITEBYTECODE=1
{environment}master=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --mpi=none --kill-on-bad-exit=1 {placed} \\
  python3 train.py --device {device} --folder {folder} --master "$master" --port {port} \\
  --steps {steps} --checkpoint-every {every} --die-at {dies_at} --die-rank {die_rank}
code=$?
if [ "$code" -ne 0 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -eq 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
  sleep {timeout_s}
fi
exit "$code"
"""
LOGGED = """export NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,NET,ENV,GRAPH NCCL_DEBUG_FILE={folder}/{log}.%h.%p
"""


@dataclass(frozen=True)
class Batch:
    """What sbatch is given."""

    script: str
    options: list[str]
    timeout_s: float
    """Submission to end, both runs."""


def batch(
    work: Work, *, stack: str, folder: str, log: str, reservation: str = "", limit_s: float | None = None
) -> Batch:
    """``stack``: where the training stack is. ``log`` separates NCCL's logs of this job from those of others. ``limit_s``: for
    both runs, where they take longer than usual."""
    course, ranks = work.course, work.ranks_per_node
    timeout_s = (limit_s or JOB_TIMEOUT_S[work.device]) * work.slowdown
    gpus = work.device == "cuda"
    placed = [f"--ntasks-per-node={ranks}", *([f"--gpus-per-node={ranks}"] if gpus else [])]
    script = SCRIPT.format(
        stack=shlex.quote(stack), folder=shlex.quote(folder), port=PORT, device=work.device, steps=course.steps,
        every=course.every, dies_at=course.dies_at, die_rank=len(work.nodes) * ranks - 1, timeout_s=int(timeout_s),
        environment=LOGGED.format(folder=NCCL_LOG_FOLDER, log=f"{LOG}{log}") if gpus else "",
        placed=" ".join([*placed, *(["--cpu-bind=none"] if gpus else [])]),
    )  # fmt: skip
    options = [
        f"--job-name={NAME}", f"--comment={STEP_COMMENT}", "--requeue", "--open-mode=append",
        f"--nodes={len(work.nodes)}", *([] if work.spares else [f"--nodelist={','.join(work.nodes)}"]), *placed,
        *(["--exclusive", "--mem=0"] if gpus else []),
        f"--time={int(timeout_s // 60) + 1}", f"--chdir={folder}", f"--output={folder}/job.out",
        *([f"--reservation={reservation}"] if reservation else []),
    ]  # fmt: skip
    return Batch(script, options, timeout_s)
