"""A model of Slurm with a training job in it that runs, is asked for checkpoints, queues itself again and starts elsewhere.

Every command is one that railbed sends; each takes a second of the model's time. Nothing here ends a job but its own script, its
owner, and its own end: a command that would is no such request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.slurm_model import Slurm

from railbed.parse.swap_contract import WORD
from railbed.run import Result

FOLDER = "/scratch/ada"
ENDING_S = 3
"""What its steps take to end."""
REQUEUE_PAUSE_S = 121
"""A requeued job is eligible after the lifetime of its credential, 120 s by default, and a second."""


@dataclass
class Training:
    """One batch job, as its template behaves."""

    nodes: tuple[str, ...]
    id: str = "7"
    comment: str = f"{WORD}torchrun-%j/marker.json"
    state: str = "RUNNING"
    restarts: int = 0
    step: int = 100
    saved_step: int = 90
    asked: int = 0
    ranks: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    reservation: str = ""
    begins_s: int = 0
    batch: bool = True
    requeue: bool = True
    array: str = ""
    listens: bool = True
    """Whether its script obeys."""

    @property
    def marker(self) -> str:
        return f"{FOLDER}/torchrun-{self.id}/marker.json"


@dataclass
class Cluster(Slurm):
    """The controller's commands, and files on a shared filesystem."""

    job: Training | None = None
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Path → when it was changed (ns), what is in it."""
    users: dict[str, str] = field(default_factory=dict)
    """Reservation → user."""
    now_s: int = 0
    sent: list[list[str]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    """What became of the job."""
    meanwhile: Callable[[Cluster, list[str]], None] = lambda *_: None
    """What people do, right before a command; or the end of railbed."""
    stuck_reservation: bool = False
    """Slurm does not let a running job out of its reservation."""

    def start(self, job: Training) -> None:
        self.job = job
        job.ranks = job.ranks or job.nodes
        self.write(f"{FOLDER}/torchrun-{job.id}/checkpoint.pt", b"weights of 90")
        self.mark()

    def write(self, path: str, data: bytes) -> None:
        self.now_s += 1
        self.files[path] = (self.now_s * 10**9, data)

    def mark(self, **other: object) -> None:
        job = self.job
        assert job is not None
        data = self.files[f"{FOLDER}/torchrun-{job.id}/checkpoint.pt"][1]
        saved = {"name": "checkpoint.pt", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        said = {"job": job.id, "run": job.restarts, "asked": job.asked, "step": job.saved_step, "files": [saved],
                "ranks": list(job.ranks), **other}  # fmt: skip
        self.write(job.marker, json.dumps(said).encode())

    # --- commands ---

    def run(self, node: str, argv: list[str], *, stdin: str | None = None, **_: object) -> Result:
        argv = list(argv)
        self.meanwhile(self, argv)
        self.now_s += 1
        self.sent.append(argv)
        self._schedule()
        if argv[0] == "runuser":
            return self._files(argv, stdin or "")
        try:
            return Result(tuple(argv), 0, self._printed(argv), "")
        except LookupError as refused:
            return Result(tuple(argv), 1, "", f"slurm_update error: {refused.args[0]}")

    def _printed(self, argv: list[str]) -> str:
        said = dict(word.split("=", 1) for word in argv if "=" in word)
        job = self.job
        match argv[:3]:
            case ["squeue", *_]:
                where = argv[argv.index("-w") + 1] if "-w" in argv else None
                if job is None or (where and where not in self.held()):
                    return super()._printed(argv)
                form = f"{job.id}{job.array}|ada|{job.state}|{','.join(self.held())}|{job.comment}|train\n"
                return form + super()._printed(argv)
            case ["scontrol", "show", "job"]:
                if job is None or argv[-1] != job.id:
                    raise LookupError("Invalid job id specified")
                return self._job(job)
            case ["scancel", signal, "--batch"]:
                self._signal(signal.partition("=")[2], argv[-1])
                return ""
            case ["scontrol", "update", _] if "JobId" in said:
                self._update(said)
                return ""
            case ["scontrol", "show", "reservation"]:
                form = "ReservationName={} StartTime=now Nodes={} NodeCnt=1 Flags=SPEC_NODES Users={}\n"
                lines = [
                    form.format(n, ",".join(of), self.users.get(n, "root")) for n, of in self.reserved.items()
                ]
                return "".join(lines) or super()._printed(argv)
            case ["scontrol", "create", _]:
                self.users[said["ReservationName"]] = said["Users"]
            case ["scontrol", "delete", _]:
                if job and job.state == "RUNNING" and job.reservation == said["ReservationName"]:
                    raise LookupError("Requested reservation is in use")
        return super()._printed(argv)

    def held(self) -> tuple[str, ...]:
        return self.job.nodes if self.job and self.job.state in ("RUNNING", "COMPLETING") else ()

    def _node(self, name: str) -> str:
        line = super()._node(name)
        return line.replace("State=IDLE", "State=ALLOCATED") if name in self.held() else line

    def _job(self, job: Training) -> str:
        def listed(names: tuple[str, ...]) -> str:
            return ",".join(names) or "(null)"

        array = " ArrayJobId=5 ArrayTaskId=7" if job.array else ""
        return (
            f"JobId={job.id}{array} JobName=train UserId=ada(2000) GroupId=ada(2000) JobState={job.state} Reason=None "
            f"Dependency=(null) Requeue={int(job.requeue)} Restarts={job.restarts} BatchFlag={int(job.batch)} Reservation="
            f"{job.reservation or '(null)'} ReqNodeList={listed(job.required)} ExcNodeList={listed(job.excluded)} "
            f"NodeList={listed(self.held())} WorkDir={FOLDER} Comment={job.comment or '(null)'} \n"
        )

    def _signal(self, signal: str, number: str) -> None:
        job = self.job
        assert signal in ("USR1", "USR2"), "nothing else may be sent"
        if job is None or number != job.id or job.state != "RUNNING":
            raise LookupError("Job/step already completing or completed")
        if not job.listens:
            return
        if signal == "USR1":
            job.asked += 1
            self.history.append("asked")
            self._save(job)
        else:
            self.history.append("requeued")
            job.state, job.restarts, job.asked = "COMPLETING", job.restarts + 1, 0
            job.begins_s = self.now_s + ENDING_S

    def _save(self, job: Training) -> None:
        job.step += 7
        job.saved_step = job.step
        self.write(f"{FOLDER}/torchrun-{job.id}/checkpoint.pt", f"weights of {job.step}".encode())
        self.mark()

    def _update(self, said: dict[str, str]) -> None:
        job = self.job
        if job is None or said["JobId"] != job.id or job.state not in ("PENDING", "RUNNING"):
            raise LookupError("Invalid job id specified")
        if job.state == "RUNNING" and ("ReqNodeList" in said or self.stuck_reservation):
            raise LookupError("Job is no longer pending execution")
        name = said.get("ReservationName")
        if name and (name not in self.reserved or self.users.get(name) != "ada"):
            raise LookupError("Requested reservation is invalid")
        job.reservation = said.get("ReservationName", job.reservation)
        if "ReqNodeList" in said:
            job.required = tuple(said["ReqNodeList"].split(","))
        if "StartTime" in said:
            job.begins_s = self.now_s

    def _schedule(self) -> None:
        """Starts the job where it may: on as many nodes as it had, those of its reservation or of none."""
        job = self.job
        if job is None or self.now_s <= job.begins_s:
            return
        if job.state == "COMPLETING":
            job.state, job.begins_s = "PENDING", self.now_s + REQUEUE_PAUSE_S
        if job.state != "PENDING" or self.now_s <= job.begins_s:
            return
        others = {n for name, of in self.reserved.items() if name != job.reservation for n in of}
        mine = (
            self.reserved.get(job.reservation, ())
            if job.reservation
            else [n.name for n in self.contract.nodes[1:]]
        )
        free = [n for n in mine if n not in self.reasons and n not in others and n not in job.excluded]
        if set(job.required) - set(free) or len(free) < len(job.nodes):
            return
        fresh = [n for n in free if n not in job.ranks]
        job.nodes = tuple(sorted(free[: len(job.nodes)]))
        job.ranks = tuple(n if n in job.nodes else fresh.pop(0) for n in job.ranks)
        job.state, job.step = "RUNNING", job.saved_step
        self.history.append(f"started on {','.join(job.nodes)}")
        self.mark()

    def _files(self, argv: list[str], stdin: str) -> Result:
        assert argv[1:4] == ["-u", "ada", "--"], "as the job's owner"
        script, words = argv[8], argv[10:]
        if "head -c" in script:
            found = self.files.get(words[0])
            if found is None:
                return Result(
                    tuple(argv), 1, "", f"stat: cannot stat '{words[0]}': No such file or directory"
                )
            return Result(tuple(argv), 0, f"{found[0] / 1e9:.9f}\n{found[1].decode()}", "")
        lines = [self.files.get(path) for path in stdin.splitlines()]
        if "sha256sum" in script:
            said = [hashlib.sha256(one[1]).hexdigest() if one else "-" for one in lines]
        else:
            said = [str(len(one[1])) if one else "-1" for one in lines]
        return Result(tuple(argv), 0, "\n".join(said) + "\n", "")
