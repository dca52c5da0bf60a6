"""Answers of GPUs as the probe prints them, and a stage that hears them: four nodes of a small contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from railbed.claims import Claim, Expectation
from railbed.contract import Contract
from railbed.effects.scheduler import Scheduler
from railbed.run import Result
from railbed.validate import gpus
from railbed.validate.answers import Answers
from railbed.validate.node import gpu_lines
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

NODES = [f"h100-{at}" for at in range(4)]
RATES = {"bf16": 700.0, "fp8": 1300.0, "fp64": 50.0, "hbm": 2900.0, "h2d": 52.0, "d2h": 52.0}
PEER = 380.0
"""GB/s between two GPUs, as eight H100 copy (NVIDIA/nccl, issue 1264)."""
TRACE = {"lowest_mhz": 345.0, "highest_mhz": 1980.0, "power_w": 699.0, "celsius": 88.0, "reasons": 64}


def claims() -> list[Claim]:
    floors = {"gpu.gemm.bf16": 500.0, "gpu.gemm.fp8": 800.0, "gpu.gemm.fp64": 33.0, "gpu.hbm": 2500.0}
    expectations = {
        name: Expectation(unit="T", floor=floor, basis="declared", derivation=["test"])
        for name, floor in floors.items()
    }
    expectations["gpu.p2p"] = Expectation(
        unit="GB/s", floor=270.0, bound=450.0, basis="declared", derivation=["test"]
    )
    expectations["gpu.copies"] = Expectation(unit="GB/s", basis="none", derivation=["test"])
    roles = ["compute", "spare"]
    found = [
        Claim(id=name, statement="", roles=roles, expectation=expectations.get(name))
        for name in gpus.RATES_OF
    ]
    return [*found, Claim(id="node.gpus", statement="", roles=roles)]


def part(node: str, gpus: int = 8, **changes: dict[str, Any]) -> dict[str, Any]:
    """What a healthy node measured; ``gpu3={…}`` changes GPU 3."""
    listed = [
        {"index": at, "model": "H100", "rates": dict(RATES), "digests": ["r"] * 4, "errors": {}, "changed": [],
         "peers": [None if at == other else PEER for other in range(gpus)]}
        for at in range(gpus)
    ]  # fmt: skip
    for name, change in changes.items():
        listed[int(name[3:])].update(change)
    return {
        "node": node, "error": "", "torch": "2.10.0", "cuda": "12.8", "gpus": listed, "trace": {3: TRACE},
    }  # fmt: skip


def text(*parts: dict[str, Any]) -> str:
    """What the program prints of it."""
    return "".join(f"{line}\n" for one in parts for line in gpu_lines.lines(one))


def healthy(*without: str, **changed: dict[str, Any]) -> str:
    """What four nodes print; ``h100_2={…}`` gives one node another document."""
    other = {name.replace("_", "-"): one for name, one in changed.items()}
    return text(*(other.get(name) or part(name) for name in NODES if name not in without))


Run = Callable[..., Any]


def runner(contract: Contract, fake_remote: Any, reports: Path) -> Run:
    """(claim, node) → verdict, and the lines that started the probe. ``code`` and ``err`` are how it ended, ``name`` that of the
    report's folder in ``reports``."""

    def runs(
        said: str, code: int = 0, err: str = "", *, scheduler: str = "slurm", drained: str = "", real: bool = True,
        prepare: Callable[[ValidationRun], None] = lambda _: None, pattern: str = "", only: Sequence[str] = (),
        count: int = 8, name: str = "now",
    ) -> Any:  # fmt: skip
        machines = [
            one.model_copy(
                update={
                    "stands_for": "" if real else "metal/hgx-h100",
                    "trains_on": "cuda" if real else "cpu",
                }
            )
            for one in contract.machines
        ]
        nodes = [n.model_copy(update={"gpus": count}) if n.rails else n for n in contract.nodes]
        made = contract.model_copy(
            update={"claims": claims(), "scheduler": scheduler, "machines": machines, "nodes": nodes}
        )

        def answer(node: str, line: str) -> Result:
            if line.startswith("scontrol show node"):
                states = {
                    n.name: "IDLE+DRAIN" if n.name == drained else "IDLE" for n in contract.nodes if n.rails
                }
                rows = [
                    f"NodeName={n} Gres=gpu:{count} State={s} Partitions=batch" for n, s in states.items()
                ]
                return Result((), 0, "\n".join(rows), "")
            if "--measure" in line:
                mine = "".join(t + "\n" for t in said.splitlines() if f'"{node}"' in t)
                return Result((), code, mine if scheduler == "none" else said, err)
            return Result((), 0, "", "")

        remote = fake_remote(answer)
        scope = select(made, only=only, pattern=pattern or None)
        validation = ValidationRun(made, remote, scope, Answers(scope), reports / name, lambda _: None)
        validation.scheduler = Scheduler(remote) if scheduler == "slurm" else None
        prepare(validation)
        gpus.run(validation)
        found = {(c.claim, c.node): c for c in validation.answers.complete() if c.claim.startswith("gpu.")}
        return found, [(node, line) for node, line in remote.commands if "--measure" in line]

    return runs
