"""Command lines, plans and time limits of the reference service and its load client. Pure.

The replicas of a node are one job of the scheduler, which takes the node whole. They share a folder of the node's own memory
(tmpfs), with the token that callers show: it is in no command line and no batch script.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from railbed.contract import Machine, Node
from railbed.defaults import STEP_COMMENT
from railbed.laws.serving import MS, Service
from railbed.validate import steps

NAME = "railbed-inference"
FOLDER = "/run/railbed-inference"
TOKEN, STOP = f"{FOLDER}/token", f"{FOLDER}/stop"
SEED = 20261203
READY_S = {"cpu": 120, "cuda": 300}
"""From a job's submission to replicas that serve; the first steps of a process have taken 40 s (transformers on a processor)."""
LEAST_REQUESTS, LEAST_S, MOST_S = 100, 60.0, 600.0
"""A load has so many requests, that 1 of 100 is one, and lasts a minute at least; at low rates ten minutes and fewer requests."""
IN_FLIGHT_S = 60
"""Longest wait for a request in flight at a node whose replicas are to be ended."""
DRAIN_S = 60
DEADLINE_TIMES, DEADLINE_LEAST_S = 10.0, 60.0
"""A request has failed when it is not answered in ten times what the goals give it, a minute at least."""
STALL_S = 20.0
"""A replica that says nothing for so long is as good as dead, and another one is asked."""
SSH_S = 30.0
SCRIPT = """#!/bin/bash
export PYTHONPATH={stack} PYTHONDONTWRITEBYTECODE=1
index=0
for port in {ports}; do
  python3 {folder}/serving_replica.py --device {device} --index "$index" --gpus {gpus} --address {address} --port "$port" \\
    --token-file {token} --state-file {folder}/state-"$index" --slots {slots} --longest {longest} --life-s {life} &
  index=$((index + 1))
done
wait
"""


def count(service: Service) -> int:
    """Requests of one load."""
    seconds = min(max(LEAST_REQUESTS / service.requests_per_s, LEAST_S), MOST_S)
    return max(1, math.ceil(service.requests_per_s * seconds))


def deadline_s(service: Service) -> float:
    """Seconds after which a request has failed."""
    stay = (service.ttft_ms or 0.0) + (service.output_length - 1) * (service.tpot_ms or 0.0)
    return max(DEADLINE_LEAST_S, DEADLINE_TIMES * stay / MS)


def load_s(service: Service) -> float:
    """Longest that a load of a fixed number of requests takes: random gaps may add up to twice their mean."""
    return 2 * count(service) / service.requests_per_s + deadline_s(service)


def failover_s(machine: Machine, service: Service) -> float:
    """Longest that the load takes while replicas are ended and started again."""
    return (2 * IN_FLIGHT_S + DRAIN_S + READY_S[machine.trains_on] + 120) * machine.slowdown + deadline_s(
        service
    )


def life_s(machine: Machine, service: Service, loads: int) -> float:
    """After which replicas end by themselves, should nobody end them."""
    return (
        READY_S[machine.trains_on] * machine.slowdown + loads * load_s(service) + failover_s(machine, service)
    )


def replicas(
    machine: Machine,
    node: Node,
    service: Service,
    ports: Sequence[int],
    *,
    stack: str,
    life: float,
    reservation: str,
) -> tuple[str, list[str]]:
    """Batch script and options of the job with a node's replicas, one for each of ``ports``; 0: any free one."""
    script = SCRIPT.format(
        stack=shlex.quote(stack), ports=" ".join(map(str, ports)), folder=FOLDER, device=machine.trains_on,
        gpus=service.gpus_per_replica, address=node.address, token=TOKEN, slots=service.slots,
        longest=service.input_length + service.output_length, life=int(life),
    )  # fmt: skip
    options = [
        f"--job-name={NAME}", f"--comment={STEP_COMMENT}", "--no-requeue", "--nodes=1", f"--nodelist={node.name}", "--exclusive",
        "--mem=0", f"--gpus-per-node={node.gpus}", f"--time={int(life // 60) + 2}", f"--chdir={FOLDER}",
        f"--output={FOLDER}/service.out", "--open-mode=append", *([f"--reservation={reservation}"] if reservation else []),
    ]  # fmt: skip
    return script, options


def client(node: Node, limit_s: float, *, reservation: str) -> tuple[str, ...]:
    """What starts the load client, through the scheduler on a node that takes jobs; its plan is its standard input."""
    program = ("python3", f"{FOLDER}/serving_load.py")
    if node.role == "controller":
        return ("timeout", "-k", "5", str(int(limit_s)), *program)
    step = steps.srun(
        [node.name], limit_s, NAME, *steps.whole_nodes(node.gpus, end_together=True), reservation=reservation
    )
    return ("timeout", "-k", "5", str(int(limit_s)), *step, *program)


def plan(service: Service, endpoints: Sequence[tuple[str, int]], *, requests: int, until: str = "") -> str:
    """What the load client reads. ``until``: a file; when it is there, nothing more is sent."""
    document: Mapping[str, Any] = {
        "endpoints": [list(one) for one in endpoints], "rate": service.requests_per_s, "seed": SEED, "count": requests,
        "stop_file": until, "input_length": service.input_length, "output_length": service.output_length,
        "deadline_s": deadline_s(service), "stall_s": STALL_S, "token_file": TOKEN,
    }  # fmt: skip
    return json.dumps(document)


def stop(node: Node, number: int, how: str, ended_s: float) -> tuple[str, ...]:
    """What ends the ``number`` replicas of a node with a request in flight; the program is its standard input."""
    states = [word for at in range(number) for word in ("--state-file", f"{FOLDER}/state-{at}")]
    return (
        "python3", "-", "--signal", how, "--address", node.address, "--token-file", TOKEN, *states,
        "--wait-s", str(IN_FLIGHT_S), "--ended-s", str(ended_s),
    )  # fmt: skip
