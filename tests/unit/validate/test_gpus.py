"""The stage that starts the probe of GPUs: under the scheduler or over SSH, and what an answer comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.gpu_answers import NODES, RATES, TRACE, Run, healthy, part, runner, text

from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.validate import gpus
from railbed.validate.answers import judged
from railbed.validate.validation_run import ValidationRun


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Run:
    return runner(contract, fake_remote, tmp_path)


def without(line: int) -> str:
    """Four nodes of which h100-1 lost one line: 0 is its head."""
    mine = text(part("h100-1")).splitlines()
    del mine[line]
    return healthy("h100-1") + "".join(f"{one}\n" for one in mine)


def verdicts(found: dict[tuple[str, str], Judged], claim: str = "gpu.gemm.bf16") -> dict[str, str]:
    return {node: str(one.verdict) for (name, node), one in found.items() if name == claim}


@pytest.mark.parametrize("scheduler", ["slurm", "none"])
def test_healthy_gpus_pass_all_claims(run: Run, scheduler: str) -> None:
    found, started = run(healthy(), scheduler=scheduler)
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and len(found) == 28
    if scheduler == "none":
        assert [node for node, _ in started] == NODES
        return
    ((node, line),) = started
    assert node == "ctl0" and "--nodelist=h100-0,h100-1,h100-2,h100-3" in line
    assert "--gpus-per-node=8" in line and "--comment=railbed validate" in line.replace("'", "")
    assert "--device cuda --gpus 8 --measure bf16,copies,digest,fp64,fp8,hbm,p2p" in line


def test_a_machine_that_stands_for_another_computes_on_processors(run: Run) -> None:
    slow = part("h100-2", gpu3={"rates": {**RATES, "bf16": 510.0}})
    found, ((_, line),) = run(healthy(h100_2=slow), real=False)
    assert "--device cpu" in line and set(verdicts(found).values()) == {"pass"}


def test_only_what_is_asked_is_measured(run: Run) -> None:
    _, ((_, line),) = run(healthy(), pattern="gpu.hbm")
    assert line.endswith("--measure hbm")


@pytest.mark.refutes("gpu.gemm.bf16", "gpu.gemm.fp8", "gpu.gemm.fp64", "gpu.hbm", "gpu.copies")
@pytest.mark.parametrize(
    ("claim", "way"),
    [(claim, way) for claim, rates in gpus.RATES_OF.items() for way in rates],
)
@pytest.mark.parametrize("share", [0.3, 0.88])
def test_a_slow_gpu_fails_its_claim_alone(run: Run, claim: str, way: str, share: float) -> None:
    slow = part("h100-2", gpu3={"rates": {**RATES, way: RATES[way] * share}})
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
    ("said", "code", "err", "reason"),
    [
        (healthy("h100-1"), 1, "srun: error: h100-1: task 1: Segmentation fault\n", "h100-1"),
        (healthy("h100-1"), 124, "stopped after 345 s\n", "did not end"),
        (healthy("h100-1") + "\x00\xff{{{\n", 0, "", "printed no answer"),
        (healthy("h100-1"), 0, "", "printed no answer"),
        (healthy("h100-1") + json.dumps(part("h100-1")) + "\n", 0, "", "printed no answer"),
        (healthy(h100_1={**part("h100-1"), "error": "PyTorch sees no GPU", "gpus": []}), 0, "", "PyTorch sees no GPU"),
        (without(0), 0, "", "the first line of h100-1's answer did not come"),
        (without(3), 0, "", "lines of 7 GPUs, 1 traces and 8 GPUs' peers came, its first line says 8, 1 and 8"),
        (without(-2), 0, "", "lines of 8 GPUs, 1 traces and 7 GPUs' peers came, its first line says 8, 1 and 8"),
        (without(-1), 0, "", "lines of 8 GPUs, 0 traces and 8"),
        (healthy(h100_1=part("h100-1", gpu3={"changed": [8]})), 0, "", "GPUs that it does not have"),
        (healthy(h100_1=part("h100-1", gpu3={"peers": [1.0] * 9})), 0, "", "GPUs that it does not have"),
        (healthy() + text(part("h100-1")), 0, "", "2 answers came in the name of h100-1"),
        (healthy(h100_1=part("h100-1", gpu3={"index": 8})), 0, "", "GPUs that it does not have"),
        (healthy(h100_1=part("h100-1", gpu3={"index": 4})), 0, "", "2 answers came in the name of h100-1"),
        (healthy() + text(part("h100-1")).splitlines()[4], 0, "", "2 answers came in the name of h100-1"),
        (healthy(h100_1={**part("h100-1"), "trace": {8: TRACE}}), 0, "", "GPUs that it does not have"),
        (healthy(h100_1={**part("h100-1"), "gpus": []}), 0, "", "no rate of bf16"),
        (healthy(h100_1=part("h100-1", gpu3={"rates": {**RATES, "bf16": -1.0}})), 0, "", "negative"),
        (healthy(h100_1=part("h100-1", gpu3={"errors": {"bf16": "CUDA error"}})), 0, "", "CUDA error"),
    ],
)  # fmt: skip
def test_what_a_node_did_not_prove_is_its_own(run: Run, said: str, code: int, err: str, reason: str) -> None:
    found, _ = run(said, code, err)
    assert verdicts(found) == {**dict.fromkeys(NODES, "pass"), "h100-1": "unproven"}
    assert reason in found["gpu.gemm.bf16", "h100-1"].reason


def test_lines_of_all_nodes_may_come_in_any_order(run: Run) -> None:
    found, _ = run("".join(f"{line}\n" for line in sorted(healthy().splitlines(), key=lambda one: one[::-1])))
    assert {one.verdict for one in found.values()} == {Verdict.PASS}


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
    def silent(validation: ValidationRun) -> None:
        validation.scheduler = None

    found, started = run(healthy(), prepare=silent)
    assert started == [] and "the scheduler does not answer" in found["gpu.hbm", "h100-0"].reason


def test_a_node_whose_gpus_are_not_all_there_is_not_tried(run: Run) -> None:
    def gone(validation: ValidationRun) -> None:
        (question,) = (q for q in validation.scope.get("node.gpus") if q.node == "h100-1")
        validation.answers.add(judged(question, Verdict.FAIL, "GPU 5 is not there"))

    found, ((_, line),) = run(healthy("h100-1"), prepare=gone)
    assert "h100-1" not in line
    assert found["gpu.determinism", "h100-1"].reason == "blocked by node.gpus on h100-1"


def test_no_step_crosses_the_border_of_a_reservation(run: Run) -> None:
    def split(validation: ValidationRun) -> None:
        validation.reserved = frozenset({"h100-0", "h100-1"})

    _, started = run(healthy(), prepare=split)
    lines = [line for _, line in started]
    assert [line.count("--reservation=railbed-acceptance") for line in lines] == [1, 0]
    assert "--nodelist=h100-0,h100-1 " in lines[0] and "--nodelist=h100-2,h100-3 " in lines[1]
