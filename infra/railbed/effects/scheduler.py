"""Slurm, through the controller of a stack. Never ends a job that it did not start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from railbed import ended
from railbed.defaults import ACCEPTANCE_RESERVATION, OUTPUT_BYTES, PARTITION
from railbed.effects.remote import Remote
from railbed.errors import CommandError, ContractError
from railbed.parse import sacct, slurm, slurm_job
from railbed.parse.sacct import AccountedJob, JobRun
from railbed.parse.slurm import Job, NodeState, Reservation
from railbed.parse.slurm_job import BatchJob
from railbed.run import Result

T = TypeVar("T")
TALK_TIMEOUT_S = 20.0
NO_NODES = "no reservations in the system"
UNKNOWN_JOB = "invalid job id"


class Scheduler:
    """The scheduler of one stack. Every method raises CommandError when Slurm does not answer."""

    def __init__(self, remote: Remote, timeout_s: float = TALK_TIMEOUT_S) -> None:
        controllers = remote.contract.with_role("controller")
        if remote.contract.scheduler != "slurm" or not controllers:
            raise ContractError(
                f"stack {remote.contract.stack} has no Slurm controller", code="NO_SCHEDULER",
                found=remote.contract.scheduler, allowed="slurm",
            )  # fmt: skip
        self.remote = remote
        self.timeout_s = timeout_s
        self.controller, *self._others = [node.name for node in controllers]

    def run(self, argv: Sequence[str], *, check: bool = True, stdin: str | None = None) -> Result:
        """Through the first controller that SSH reaches: Slurm's programs find the one that schedules by themselves."""
        while True:
            answer = self.remote.run(
                self.controller,
                argv,
                stdin=stdin,
                timeout_s=self.timeout_s,
                check=False,
                keep_bytes=OUTPUT_BYTES,
            )
            if not self._others or answer.returncode != ended.SSH_FAILED:
                break
            self.controller = self._others.pop(0)
        if answer.cut:
            raise CommandError(
                f"{argv[0]} on {self.controller} printed more than railbed reads",
                allowed=f"{OUTPUT_BYTES} bytes",
            )
        if check and not answer.ok:
            raise CommandError(ended.why(answer, argv[0], self.controller))
        return answer

    def _read(self, program: str, reader: Callable[[str], T], text: str) -> T:
        try:
            return reader(text)
        except ValueError as wrong:
            raise CommandError(
                f"{program} on {self.controller} printed what nobody can read: {wrong}"
            ) from None

    def nodes(self) -> dict[str, NodeState]:
        """Every node by name."""
        return slurm.nodes(self.run(["scontrol", "show", "node", "-o"]).stdout)

    def jobs(self, node: str | None = None) -> list[Job]:
        """Jobs that hold, or wait for, nodes; with ``node`` those that hold it, completing ones too."""
        where = ["-w", node] if node else []
        text = self.run(["squeue", "-h", "-o", slurm.JOB_FORMAT, *where]).stdout
        return self._read("squeue", slurm.jobs, text)

    def drain(self, node: str, reason: str) -> list[str]:
        """Gives the node no new job; running ones go on to their end. Nothing else is on a node of Slurm: gives nothing."""
        self.run(["scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={reason}"])
        return []

    def resume(self, node: str, reason: str | None = None) -> bool:
        """Gives the node back to the scheduler; a node that is not drained stays as it is.

        With ``reason`` only where its drain still has that one: False, and nothing is done, where it is another's by now.
        """
        state = self.nodes().get(node)
        if state and not state.drained and state.base != "DOWN":
            return True
        if reason is not None and state and state.reason != reason:
            return False
        self.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"])
        return True

    def reservation(self, name: str = ACCEPTANCE_RESERVATION) -> Reservation | None:
        """The reservation of that name, or None."""
        return next((r for r in self.reservations() if r.name == name), None)

    def reservations(self) -> list[Reservation]:
        """All reservations."""
        answer = self.run(["scontrol", "show", "reservation", "-o"], check=False)
        if not answer.ok and NO_NODES not in (answer.stdout + answer.stderr).lower():
            raise CommandError(ended.why(answer, "scontrol", self.controller))
        return self._read("scontrol", slurm.reservations, answer.stdout)

    def reserve(self, nodes: Iterable[str], name: str = ACCEPTANCE_RESERVATION) -> None:
        """Adds nodes to the reservation, making it where there is none. Running jobs are left alone."""
        current = self.reservation(name)
        wanted = sorted({*nodes, *(current.nodes if current else ())})
        if not wanted or (current and set(wanted) == set(current.nodes)):
            return
        if current:
            self.run(["scontrol", "update", f"ReservationName={name}", f"Nodes={','.join(wanted)}"])
            return
        self.run(
            ["scontrol", "create", f"ReservationName={name}", "StartTime=now", "Duration=UNLIMITED",
             "Users=root", "Flags=MAINT,IGNORE_JOBS", f"Nodes={','.join(wanted)}"]
        )  # fmt: skip

    def reserve_idle(self, nodes: Iterable[str], name: str, minutes: int) -> None:
        """Makes a reservation that ends by itself. Raises CommandError where a job runs on one of the nodes: Slurm looks at that
        and reserves in one step."""
        self.run(
            ["scontrol", "create", f"ReservationName={name}", "StartTime=now", f"Duration={minutes}", "Users=root",
             f"Nodes={','.join(sorted(nodes))}"]
        )  # fmt: skip

    def release(self, nodes: Iterable[str], name: str = ACCEPTANCE_RESERVATION) -> None:
        """Takes nodes out of the reservation; the last one takes the reservation with it."""
        current = self.reservation(name)
        if current is None:
            return
        left = sorted(set(current.nodes) - set(nodes))
        if not left:
            self.run(["scontrol", "delete", f"ReservationName={name}"])
        elif set(left) != set(current.nodes):
            self.run(["scontrol", "update", f"ReservationName={name}", f"Nodes={','.join(left)}"])

    def submit(self, script: str, options: Sequence[str]) -> str:
        """Submits a batch script (text) and returns the job's number."""
        argv = ["sbatch", "--parsable", f"--partition={PARTITION}", *options]
        answer = self.run(argv, stdin=script)
        return answer.stdout.strip().split(";")[0]

    def job_state(self, job: str) -> dict[str, str]:
        """`scontrol show job` of one job as key → value; empty once Slurm has forgotten it."""
        answer = self.run(["scontrol", "show", "job", "-o", job], check=False)
        return dict(p.split("=", 1) for p in answer.stdout.split() if "=" in p) if answer.ok else {}

    def batch_job(self, job: str) -> BatchJob | None:
        """The job as Slurm has it; None once it is forgotten."""
        answer = self.run(["scontrol", "show", "job", "-o", job], check=False)
        if not answer.ok and UNKNOWN_JOB not in (answer.stdout + answer.stderr).lower():
            raise CommandError(ended.why(answer, "scontrol", self.controller))
        return self._read("scontrol", slurm_job.job, answer.stdout)

    def ask_script(self, job: str, signal: str) -> None:
        """A signal to the batch script alone, which its owner says it handles; steps get none."""
        self.run(["scancel", f"--signal={signal}", "--batch", job])

    def reserve_for(self, nodes: Iterable[str], name: str, user: str) -> None:
        """The reservation has exactly these nodes, for one user's jobs that ask for it. Running jobs are left alone.

        Without MAINT: nodes that another of railbed's reservations holds stay its own until it lets them go.
        """
        wanted, current = sorted(set(nodes)), self.reservation(name)
        if current and set(wanted) == set(current.nodes):
            return
        if current:
            self.run(["scontrol", "update", f"ReservationName={name}", f"Nodes={','.join(wanted)}"])
            return
        self.run(
            ["scontrol", "create", f"ReservationName={name}", "StartTime=now", "Duration=UNLIMITED", f"Users={user}",
             "Flags=IGNORE_JOBS,OVERLAP", f"Nodes={','.join(wanted)}"]
        )  # fmt: skip

    def end_reservation(self, name: str) -> bool:
        """Whether it is gone: Slurm keeps one that a job is in (slurm.schedmd.com/reservations.html)."""
        if self.reservation(name) is not None:
            self.run(["scontrol", "delete", f"ReservationName={name}"], check=False)
        return self.reservation(name) is None

    def place_waiting(self, job: str, reservation: str, required: Sequence[str] = ()) -> None:
        """A job that waits starts on the reservation's nodes, as soon as it may; ``required``: in place of the nodes it named."""
        named = [f"ReqNodeList={','.join(required)}"] if required else []
        self.run(["scontrol", "update", f"JobId={job}", f"ReservationName={reservation}", *named])
        self.start_now(job)

    def leave_reservation(self, job: str) -> None:
        """The job needs no reservation from here on; one that ended meanwhile stays as it is."""
        self.run(["scontrol", "update", f"JobId={job}", "ReservationName="], check=False)

    def runs(self, job: str) -> list[JobRun]:
        """Every start of one job, from Slurm's accounts; none where they do not know it."""
        seconds = ["env", "SLURM_TIME_FORMAT=%s"]
        return self._accounts(sacct.RUN_FIELDS, sacct.runs, f"--jobs={job}", before=seconds)

    def accounted(self, start: str, end: str) -> list[AccountedJob]:
        """Every run of every job between two moments (sacct's form), cut off at both."""
        asked = ["--allusers", "--truncate", f"--starttime={start}", f"--endtime={end}"]
        return self._accounts(sacct.FIELDS, sacct.jobs, *asked)

    def _accounts(
        self, fields: str, reader: Callable[[str], T], *asked: str, before: Sequence[str] = ()
    ) -> T:
        """A line for each run of a job, its steps left out."""
        form = ["--allocations", "--duplicates", "--noheader", "--parsable2", f"--format={fields}"]
        return self._read("sacct", reader, self.run([*before, "sacct", *form, *asked]).stdout)

    def start_now(self, job: str) -> None:
        """Lets a requeued job of ours start without the pause that Slurm puts before its second run."""
        self.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=False)

    def cancel_own(self, job: str, name: str) -> None:
        """Ends a job that railbed started: number and name must both match."""
        if any(found.id == job and found.name == name for found in self.jobs()):
            self.run(["scancel", f"--name={name}", job], check=False)
