"""The stage that starts the probe of GPUs: under the scheduler or over SSH, and what an answer comes to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract
from railbed.effects.scheduler import Scheduler
from railbed.run import Result
from railbed.validate import gpus
from railbed.validate.answers import Answers, judged
from railbed.validate.bench import Bench
from railbed.validate.scope import select

NODES = [f"h100-{at}" for at in range(4)]
WAYS = {"bf16": 700.0, "fp8": 1300.0, "fp64": 50.0, "hbm": 2900.0, "h2d": 52.0, "d2h": 52.0}
TRACE = {"lowest_mhz": 345.0, "highest_mhz": 1980.0, "power_w": 699.0, "celsius": 88.0, "reasons": 64}


def claims() -> list[Claim]:
    floors = {"gpu.gemm.bf16": 500.0, "gpu.gemm.fp8": 800.0, "gpu.gemm.fp64": 33.0, "gpu.hbm": 2500.0}
    wishes = {
        name: Expectation(unit="T", floor=floor, basis="declared", derivation=["test"])
        for name, floor in floors.items()
    }
    wishes["gpu.copies"] = Expectation(unit="GB/s", basis="none", derivation=["test"])
    roles = ["compute", "spare"]
    found = [Claim(id=name, statement="", roles=roles, expectation=wishes.get(name)) for name in gpus.WAYS]
    return [*found, Claim(id="node.gpus", statement="", roles=roles)]


def part(node: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """A healthy node; ``gpu3={…}`` changes GPU 3."""
    listed = [
        {"index": at, "model": "H100", "rates": dict(WAYS), "digests": ["r"] * 4, "errors": {}}
        for at in range(8)
    ]
    for name, change in changes.items():
        listed[int(name[3:])].update(change)
    return {
        "node": node, "error": "", "torch": "2.10.0", "cuda": "12.8", "gpus": listed, "trace": {"3": TRACE},
    }  # fmt: skip


def text(*parts: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in parts)


def healthy(*without: str, **changed: dict[str, Any]) -> str:
    """What four nodes print; ``h100_2={…}`` gives one node another document."""
    other = {name.replace("_", "-"): one for name, one in changed.items()}
    return text(*(other.get(name) or part(name) for name in NODES if name not in without))


Run = Callable[..., Any]


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Run:
    """(claim, node) → verdict, and the lines that started the probe. ``code`` and ``err`` are how it ended."""

    def runs(
        said: str, code: int = 0, err: str = "", *, scheduler: str = "slurm", drained: str = "", real: bool = True,
        prepare: Callable[[Bench], None] = lambda _: None, pattern: str = "",
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
        made = contract.model_copy(update={"claims": claims(), "scheduler": scheduler, "machines": machines})

        def answer(node: str, line: str) -> Result:
            if line.startswith("scontrol show node"):
                states = {
                    n.name: "IDLE+DRAIN" if n.name == drained else "IDLE" for n in contract.nodes if n.rails
                }
                told = [f"NodeName={n} Gres=gpu:8 State={s} Partitions=batch" for n, s in states.items()]
                return Result((), 0, "\n".join(told), "")
            if "--measure" in line:
                mine = "".join(t + "\n" for t in said.splitlines() if f'"{node}"' in t)
                return Result((), code, mine if scheduler == "none" else said, err)
            return Result((), 0, "", "")

        remote = fake_remote(answer)
        scope = select(made, pattern=pattern or None)
        bench = Bench(made, remote, scope, Answers(scope), tmp_path, lambda _: None)
        bench.scheduler = Scheduler(remote) if scheduler == "slurm" else None
        prepare(bench)
        gpus.run(bench)
        found = {(c.claim, c.node): c for c in bench.answers.complete() if c.claim.startswith("gpu.")}
        return found, [(node, line) for node, line in remote.commands if "--measure" in line]

    return runs


def verdicts(found: dict[tuple[str, str], Judged], claim: str = "gpu.gemm.bf16") -> dict[str, str]:
    return {node: str(one.verdict) for (name, node), one in found.items() if name == claim}


@pytest.mark.parametrize("scheduler", ["slurm", "none"])
def test_healthy_gpus_pass_all_claims(run: Run, scheduler: str) -> None:
    found, started = run(healthy(), scheduler=scheduler)
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and len(found) == 24
    if scheduler == "none":
        assert [node for node, _ in started] == NODES
        return
    ((node, line),) = started
    assert node == "ctl0" and "--nodelist=h100-0,h100-1,h100-2,h100-3" in line
    assert "--gpus-per-node=8" in line and "--comment=railbed validate" in line.replace("'", "")
    assert "--device cuda --gpus 8 --measure bf16,copies,digest,fp64,fp8,hbm" in line


def test_a_machine_that_stands_for_another_computes_on_processors(run: Run) -> None:
    slow = part("h100-2", gpu3={"rates": {**WAYS, "bf16": 510.0}})
    found, ((_, line),) = run(healthy(h100_2=slow), real=False)
    assert "--device cpu" in line and set(verdicts(found).values()) == {"pass"}


def test_only_what_is_asked_is_measured(run: Run) -> None:
    _, ((_, line),) = run(healthy(), pattern="gpu.hbm")
    assert line.endswith("--measure hbm")


@pytest.mark.refutes("gpu.gemm.bf16", "gpu.gemm.fp8", "gpu.gemm.fp64", "gpu.hbm", "gpu.copies")
@pytest.mark.parametrize(
    ("claim", "way"),
    [(claim, way) for claim, ways in gpus.WAYS.items() for way in ways],
)
@pytest.mark.parametrize("share", [0.3, 0.88])
def test_a_slow_gpu_fails_its_claim_alone(run: Run, claim: str, way: str, share: float) -> None:
    slow = part("h100-2", gpu3={"rates": {**WAYS, way: WAYS[way] * share}})
    found, _ = run(healthy(h100_2=slow))
    failed = [one for one in found.values() if one.verdict is not Verdict.PASS]
    assert [(one.claim, one.node, one.verdict) for one in failed] == [(claim, "h100-2", Verdict.FAIL)]
    assert failed[0].detail["parts"] == ["gpu 3"]
    assert "gpu 3 at 345 to 1980 MHz, up to 699 W and 88 °C" in failed[0].reason


@pytest.mark.refutes("gpu.determinism")
@pytest.mark.parametrize("digests", [["x"] * 4, ["r", "r", "x", "r"]])
def test_other_bits_fail_and_name_the_gpu(run: Run, digests: list[str]) -> None:
    found, _ = run(healthy(h100_1=part("h100-1", gpu6={"digests": digests})))
    failed = [one for one in found.values() if one.verdict is not Verdict.PASS]
    assert [(one.claim, one.node, one.detail["parts"]) for one in failed] == [
        ("gpu.determinism", "h100-1", ["gpu 6"])
    ]


@pytest.mark.parametrize(
    ("said", "code", "err", "told"),
    [
        (healthy("h100-1"), 1, "srun: error: h100-1: task 1: Segmentation fault\n", "h100-1"),
        (healthy("h100-1"), 124, "stopped after 345 s\n", "did not end"),
        (healthy("h100-1") + "\x00\xff{{{\n", 0, "", "printed no answer"),
        (healthy("h100-1"), 0, "", "printed no answer"),
        (healthy(h100_1={**part("h100-1"), "gpus": "eight"}), 0, "", "printed no answer"),
        (healthy(h100_1={**part("h100-1"), "error": "PyTorch sees no GPU", "gpus": []}), 0, "", "PyTorch sees no GPU"),
        (healthy() + text(part("h100-1")), 0, "", "2 answers came in the name of h100-1"),
        (healthy(h100_1=part("h100-1", gpu3={"index": 8})), 0, "", "GPUs that it does not have"),
        (healthy(h100_1=part("h100-1", gpu3={"index": 4})), 0, "", "GPUs that it does not have"),
        (healthy(h100_1={**part("h100-1"), "gpus": []}), 0, "", "no rate of bf16"),
        (healthy(h100_1=part("h100-1", gpu3={"rates": {**WAYS, "bf16": -1.0}})), 0, "", "negative"),
        (healthy(h100_1=part("h100-1", gpu3={"errors": {"bf16": "CUDA error"}})), 0, "", "CUDA error"),
    ],
)  # fmt: skip
def test_what_a_node_did_not_prove_is_its_own(run: Run, said: str, code: int, err: str, told: str) -> None:
    found, _ = run(said, code, err)
    assert verdicts(found) == {**dict.fromkeys(NODES, "pass"), "h100-1": "unproven"}
    assert told in found["gpu.gemm.bf16", "h100-1"].reason


def test_a_node_that_answers_over_ssh_in_another_ones_name_is_not_heard(run: Run) -> None:
    # A node prints the lines that have its name in them: h100-3 the answer of h100-0 too.
    both = text({**part("h100-0"), "torch": "h100-3"})
    found, _ = run(healthy("h100-3", "h100-0") + both, scheduler="none")
    assert verdicts(found)["h100-3"] == "unproven"
    assert found["gpu.gemm.bf16", "h100-0"].verdict is Verdict.PASS


def test_a_scheduler_that_does_not_start_it_leaves_all_open(run: Run) -> None:
    found, _ = run("", 1, "srun: error: Unable to allocate resources: Requested nodes are busy\n")
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert "Requested nodes are busy" in found["gpu.hbm", "h100-0"].reason


def test_a_node_that_takes_no_step_is_left_out(run: Run) -> None:
    found, ((_, line),) = run(healthy("h100-2"), drained="h100-2")
    assert "--nodelist=h100-0,h100-1,h100-3" in line
    assert found["gpu.hbm", "h100-2"].reason.startswith("blocked by scheduler.state")
    assert verdicts(found)["h100-0"] == "pass"


def test_without_a_scheduler_that_answers_nothing_runs(run: Run) -> None:
    def silent(bench: Bench) -> None:
        bench.scheduler = None

    found, started = run(healthy(), prepare=silent)
    assert started == [] and "the scheduler does not answer" in found["gpu.hbm", "h100-0"].reason


def test_a_node_whose_gpus_are_not_all_there_is_not_tried(run: Run) -> None:
    def gone(bench: Bench) -> None:
        (question,) = (q for q in bench.scope.get("node.gpus") if q.node == "h100-1")
        bench.answers.add(judged(question, Verdict.FAIL, "GPU 5 is not there"))

    found, ((_, line),) = run(healthy("h100-1"), prepare=gone)
    assert "h100-1" not in line
    assert found["gpu.determinism", "h100-1"].reason == "blocked by node.gpus on h100-1"


def test_no_step_crosses_the_border_of_a_reservation(run: Run) -> None:
    def split(bench: Bench) -> None:
        bench.reserved = frozenset({"h100-0", "h100-1"})

    _, started = run(healthy(), prepare=split)
    lines = [line for _, line in started]
    assert [line.count("--reservation=railbed-acceptance") for line in lines] == [1, 0]
    assert "--nodelist=h100-0,h100-1 " in lines[0] and "--nodelist=h100-2,h100-3 " in lines[1]
