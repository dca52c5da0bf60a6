"""Jobs of a soak, all of ordinary users: one long training job from railbed's template, and short ones that write when they run.

The long job is what `railbed job init torchrun` gives, with a longer training in it. Its owner looks after it as owners do: where
a node of it is being drained for its hardware, the owner queues the job again, and it goes on elsewhere from its checkpoint.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.conftest import Cli, wait_for

from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.parse.sacct import JobRun

from .soak_record import Small

OWNER, TENANT = "alice", "soak"
FOLDER = f"/scratch/projects/{TENANT}"
STEPS_PER_MINUTE, PACE_S = 40, 0.8
"""Of the soak, and the pause in each step: the job runs for half of the soak and more."""
LIMIT_S = 600.0
SMALL = """#!/bin/sh
#SBATCH --requeue --open-mode=append --output={folder}/small-%j.out --time=00:10:00
echo "begin $SLURM_JOB_ID"
sleep {seconds}
echo "end $SLURM_JOB_ID"
"""
AGAIN_S = 1.1
"""A requeued job is let go at once, but not in the second of its requeue (`validate/job.py`)."""


def training(script: str, steps: int, pace_s: float, minutes: float) -> str:
    """The template's script with so many steps, a pause in each, and its result as the last line. Raises ValueError where the
    template has changed. Pure."""
    for old, new in (
        ("range(first, 60)", f"range(first, {steps})"),
        ("    loss.backward()\n", f"    loss.backward()\n    __import__('time').sleep({pace_s})\n"),
        ("loss {loss.item():.4f} on", "loss {loss.item()!r} on"),
        ("dist.barrier()\n", "dist.barrier()\nif rank == 0:\n"
         "    weights = repr([w.flatten().tolist() for w in model.parameters()]).encode()\n"
         "    print('result', __import__('hashlib').sha256(weights).hexdigest(), flush=True)\n"),
        ("--time=00:15:00", f"--time={int(minutes)}"),
    ):  # fmt: skip
        if old not in script:
            raise ValueError(f"the template has no {old!r} any more")
        script = script.replace(old, new)
    return script


def result(output: str) -> list[str]:
    """Losses at checkpoints and the digest of the weights, in their order; what an attempt repeats stands once. Pure."""
    lines = [line for line in output.splitlines() if line.startswith(("step ", "result "))]
    return list(dict.fromkeys(lines))


@dataclass
class People:
    """One user, on a cluster that stands."""

    cli: Cli
    folder: Path
    contract: Contract = field(init=False)
    scheduler: Scheduler = field(init=False)
    requeued: list[tuple[float, str]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    """Short jobs."""

    def __post_init__(self) -> None:
        self.contract = contract_store.load(self.cli.work)
        self.scheduler = Scheduler(Remote(self.cli.work, self.contract))

    def say(self, command: str, stdin: str = "", *, may_fail: bool = False) -> str:
        """What the command printed to the user, on the controller."""
        options = ["ControlPath=none", "IdentitiesOnly=yes", "LogLevel=ERROR"]
        words = [word for one in options for word in ("-o", one)]
        done = subprocess.run(
            ["ssh", "-F", str(self.cli.work.ssh_config), *words, "-i", str(self.folder / OWNER), "-l", OWNER, "ctl0", command],
            input=stdin, text=True, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode and not may_fail:
            raise ValueError(f"{command.split()[0]} of {OWNER} failed: {done.stderr.strip()[-200:]}")
        return done.stdout

    def submit(self, script: str) -> str:
        return self.say(f"cd {FOLDER} && sbatch --parsable --account={TENANT}", script).strip()

    def small(self, seconds: int) -> None:
        """Starts one short job."""
        self.started.append(self.submit(SMALL.format(folder=FOLDER, seconds=seconds)))

    def train(self, steps: int, pace_s: float, minutes: float) -> str:
        """Starts the reference job."""
        said = self.cli("job", "init", "torchrun", "--tenant", TENANT, "--json").stdout
        return self.submit(training(json.loads(said)["script"], steps, pace_s, minutes))

    def output(self, job: str, name: str = "torchrun") -> str:
        return self.say(f"cat {FOLDER}/{name}-{job}.out", may_fail=True)

    def states(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Jobs in the queue → state and nodes."""
        return {job.id: (job.state, job.nodes) for job in self.scheduler.jobs() if job.user == OWNER}

    def undisturbed(self, steps: int) -> list[str]:
        """Result of a run of the reference job on a cluster without faults."""
        job = self.train(steps, 0.0, LIMIT_S / 60)
        wait_for(lambda: job not in self.states(), LIMIT_S)
        return result(self.output(job))

    def look_after(self, job: str, draining: set[str]) -> None:
        """What the job's owner does: queues it again off nodes that are drained, once it has a checkpoint."""
        state, nodes = self.states().get(job, ("", ()))
        if (
            state == "RUNNING"
            and draining & set(nodes)
            and self.say(f"ls {FOLDER}/torchrun-{job}/checkpoint.pt", may_fail=True)
        ):
            self.requeued.append((time.time(), job))
            self.say(f"scontrol requeue {job}")
            time.sleep(AGAIN_S)

    def hurry(self) -> None:
        """An administrator lets jobs start that were queued again: Slurm would hold each back for two minutes."""
        for job, (state, _) in self.states().items():
            if state == "PENDING" and self.scheduler.job_state(job).get("Restarts", "0") != "0":
                self.scheduler.start_now(job)

    def runs(self, jobs: list[str]) -> list[JobRun]:
        """Every start of these jobs, from Slurm's accounts."""
        return [run for job in jobs for run in self.scheduler.runs(job)]

    def files(self) -> list[Small]:
        """What the short jobs wrote, asked in one go."""
        text = self.say(f"cd {FOLDER} && grep -H '' small-*.out", may_fail=True)
        found: dict[str, list[str]] = {}
        for line in text.splitlines():
            name, _, said = line.partition(":")
            found.setdefault(name.removeprefix("small-").removesuffix(".out"), []).append(said)
        return [Small(job, found.get(job, [])) for job in self.started]
