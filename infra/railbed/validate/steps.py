"""Command lines of the steps that a validation starts under Slurm on nodes that it names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from railbed.defaults import STEP_COMMENT, STEP_WAIT_S


def srun(
    nodes: Sequence[str],
    limit_s: float,
    name: str,
    *options: str,
    mpi: str = "none",
    tasks_per_node: int = 1,
    reservation: str = "",
) -> tuple[str, ...]:
    """``srun`` of a step on all of ``nodes``, to which a program and its arguments are added (srun(1)).

    ``limit_s``: the scheduler ends it at the next whole minute. ``name``: of the job. It begins within STEP_WAIT_S or not at all,
    and has STEP_COMMENT, which no user's job has.
    """
    return (
        "srun", f"--mpi={mpi}", *options, f"--immediate={STEP_WAIT_S}", f"--ntasks-per-node={tasks_per_node}",
        f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}", f"--time={int(limit_s) // 60 + 1}", f"--job-name={name}",
        f"--comment={STEP_COMMENT}", *([f"--reservation={reservation}"] if reservation else []),
    )  # fmt: skip


def whole_nodes(gpus: int, *, end_together: bool) -> tuple[str, ...]:
    """Options of a step that takes its nodes whole: all memory, so many GPUs of each, tasks bound to no processor.

    ``end_together``: whether one task that fails ends the others.
    """
    return (
        "--exclusive", "--mem=0", f"--gpus-per-node={gpus}", "--cpu-bind=none", f"--kill-on-bad-exit={int(end_together)}",
    )  # fmt: skip
