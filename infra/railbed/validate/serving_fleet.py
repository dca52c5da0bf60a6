"""The replicas of the reference service on the nodes of a validation: begun, asked, ended, and always cleared away."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.contract import Machine, Node
from railbed.defaults import FABRIC_OUTPUT_BYTES, JOB_POLL_S, STEP_COMMENT, STEP_WAIT_S
from railbed.effects import node_json
from railbed.effects.scheduler import Scheduler
from railbed.errors import UnprovenError
from railbed.judge.serving import Request, Stop
from railbed.laws.serving import Service
from railbed.text import shown
from railbed.validate import serving_programs as programs
from railbed.validate.validation_run import ValidationRun

NODE = Path(__file__).parent / "node"
FILES = ("serving_replica.py", "serving_load.py")
GONE = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "NODE_FAIL",
    "BOOT_FAIL",
    "OUT_OF_MEMORY",
    "DEADLINE",
    "",
)
"""States of a job that does not serve; empty: Slurm forgot it."""


class State(node_json.Reply):
    """What a replica writes when it serves."""

    pid: int = Field(gt=1)
    port: int = Field(gt=0, lt=65_536)


class Row(node_json.Reply):
    """One request, as the client prints it."""

    late_s: float
    tries: node_json.Whole
    ok: bool
    said: node_json.Words
    ttft_s: float | None
    tpot_s: float | None


class Tally(node_json.Reply):
    """What became of the tries at one replica."""

    address: node_json.Words
    port: int
    answered: node_json.Whole
    refused: node_json.Whole
    unavailable: node_json.Whole
    broken: node_json.Whole
    stalled: node_json.Whole


class End(node_json.Reply):
    """The client's last line."""

    replicas: list[Tally] = Field(max_length=65_536)
    sent: node_json.Whole


class Stopped(node_json.Reply):
    """What `node/serving_stop.py` prints."""

    in_flight: node_json.Whole
    left: node_json.Whole


STATE, ROW, END, STOPPED = TypeAdapter(State), TypeAdapter(Row), TypeAdapter(End), TypeAdapter(Stopped)


class NotServed(UnprovenError):
    """The service or its client did not come to its end; the message says why."""

    code = "NOT_SERVED"


@dataclass(frozen=True)
class Load:
    """What a load came to."""

    requests: list[Request]
    replicas: list[Tally]


@dataclass
class Fleet:
    """Replicas that serve."""

    validation: ValidationRun
    scheduler: Scheduler
    machine: Machine
    service: Service
    nodes: list[Node]
    """With replicas, in the order of ``Service.placed``."""
    client: Node
    """Where the load comes from."""
    life_s: float
    jobs: dict[str, str] = field(default_factory=dict)
    """Node → job with its replicas."""
    ports: dict[str, list[int]] = field(default_factory=dict)
    """Node → port of each of its replicas."""

    def begin(self, node: Node, number: int) -> None:
        """Submits the job with a node's replicas; one that was there before keeps its ports."""
        script, options = programs.replicas(
            self.machine, node, self.service, self.ports.get(node.name) or [0] * number, life=self.life_s,
            stack=self.validation.contract.software.training_stack_path,
            reservation=self.validation.reservation_for([node.name]),
        )  # fmt: skip
        self.validation.remote.run(node.name, f"rm -f {programs.FOLDER}/state-*")
        self.jobs[node.name] = self.scheduler.submit(script, options)

    def wait_ready(self, node: Node, number: int) -> None:
        """Waits until all replicas of a node serve. Raises NotServed."""
        job = self.jobs[node.name]
        limit_s = programs.READY_S[self.machine.trains_on] * self.machine.slowdown
        deadline, remote = time.monotonic() + limit_s, self.validation.remote
        read = f"cat {' '.join(f'{programs.FOLDER}/state-{at}' for at in range(number))}"
        while True:
            found = node_json.lines(remote.run(node.name, read, check=False).stdout, STATE)
            if len(found) == number:
                self.ports[node.name] = [one.port for one in found]
                return
            state = self.scheduler.job_state(job).get("JobState", "")
            if state in GONE or time.monotonic() >= deadline:
                said = remote.run(
                    node.name, ["tail", "-c", "2000", f"{programs.FOLDER}/service.out"], check=False
                ).stdout
                last = said.strip().splitlines()[-1:] or ["it printed nothing"]
                raise NotServed(
                    f"{len(found)} of {number} replicas on {node.name} served within {limit_s:g} s (job {job}: "
                    f"{state or 'forgotten'}): {shown(last[0])}"
                )
            time.sleep(JOB_POLL_S)

    @property
    def endpoints(self) -> list[tuple[str, int]]:
        return [(node.address, port) for node in self.nodes for port in self.ports[node.name]]

    def load(self, requests: int, limit_s: float, evidence: str, *, until: str = "") -> Load:
        """Brings the load on the service. Raises NotServed."""
        limit_s = limit_s * self.machine.slowdown
        said = self.validation.remote.run(
            self.scheduler.controller,
            programs.client(self.client, limit_s, reservation=self.validation.reservation_for([self.client.name])),
            stdin=programs.plan(self.service, self.endpoints, requests=requests, until=until),
            timeout_s=limit_s + STEP_WAIT_S + programs.SSH_S, check=False, keep_bytes=FABRIC_OUTPUT_BYTES,
        )  # fmt: skip
        self.validation.keep(evidence, said.stdout)
        if said.stderr.strip():
            self.validation.keep(f"{evidence}.stderr", said.stderr)
        rows, ends = node_json.lines(said.stdout, ROW), node_json.lines(said.stdout, END)
        if not said.ok:
            raise NotServed(ended.why(said, "the load client", self.client.name))
        if len(ends) != 1 or len(rows) != ends[0].sent:
            raise NotServed(
                f"the load client on {self.client.name} printed {len(rows)} requests and no right end"
            )
        fields = ("late_s", "ok", "tries", "said", "ttft_s", "tpot_s")
        return Load(
            [Request(**{name: getattr(one, name) for name in fields}) for one in rows], ends[0].replicas
        )

    def stop(self, node: Node, number: int, how: str) -> Stop:
        """Ends the replicas of a node with a request in flight. Raises NotServed."""
        said = self.validation.remote.run(
            node.name, programs.stop(node, number, how, programs.DRAIN_S), stdin=(NODE / "serving_stop.py").read_text(),
            timeout_s=programs.IN_FLIGHT_S + programs.DRAIN_S + programs.SSH_S, check=False,
        )  # fmt: skip
        if not said.ok:
            raise NotServed(ended.why(said, "the end of the replicas", node.name))
        try:
            found = node_json.read(said.stdout, STOPPED, node.name)
        except node_json.Unreadable as wrong:
            raise NotServed(wrong.message) from None
        return Stop(node.name, found.in_flight, found.left)

    def by_node(self, load: Load) -> dict[str, int]:
        """Node → answers that it broke off."""
        names = {node.address: node.name for node in self.nodes}
        found = dict.fromkeys(names.values(), 0)
        for one in load.replicas:
            if one.address in names:
                found[names[one.address]] += one.broken
        return found


@contextmanager
def fleet(
    validation: ValidationRun, scheduler: Scheduler, machine: Machine, service: Service, nodes: Sequence[Node], client: Node,
    loads: int,
) -> Iterator[Fleet]:  # fmt: skip
    """Replicas that serve on ``nodes`` for ``loads`` loads; whatever happens, their jobs and files are gone afterwards.

    Raises NotServed, and CommandError where the scheduler does not answer.
    """
    made = Fleet(
        validation, scheduler, machine, service, list(nodes), client, programs.life_s(machine, service, loads)
    )
    names = list(dict.fromkeys([*(node.name for node in nodes), client.name]))
    token = secrets.token_hex(32)
    try:
        for name in names:
            _prepare(validation, name, token)
        for node, number in zip(nodes, service.placed, strict=True):
            made.begin(node, number)
        for node, number in zip(nodes, service.placed, strict=True):
            made.wait_ready(node, number)
        yield made
    finally:
        clear(validation, scheduler, names)


def _prepare(validation: ValidationRun, name: str, token: str) -> None:
    """Programs and token on a node, in a folder that only root reads."""
    folder = programs.FOLDER
    made = validation.remote.run(
        name,
        f"umask 077 && rm -rf {folder} && mkdir {folder} && cat > {programs.TOKEN}",
        stdin=token,
        check=False,
    )
    for file in FILES:
        if made.ok:
            made = validation.remote.run(
                name, f"umask 077 && cat > {folder}/{file}", stdin=(NODE / file).read_text(), check=False
            )
    if not made.ok:
        raise NotServed(f"{folder} cannot be written on {name}: {ended.why(made, 'mkdir', name)}")


def clear(validation: ValidationRun, scheduler: Scheduler, names: Sequence[str]) -> None:
    """Ends the jobs of this measurement, also those that a killed run left, and removes its files on nodes."""
    try:
        for job in scheduler.jobs():
            if job.name == programs.NAME and job.comment == STEP_COMMENT:
                scheduler.cancel_own(job.id, programs.NAME)
    finally:
        for name in names:
            validation.remote.run(name, ["rm", "-rf", programs.FOLDER], check=False)
