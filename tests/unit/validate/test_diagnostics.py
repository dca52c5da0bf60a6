"""DCGM's diagnostics on nodes: how deep, what is asked before, and what an answer comes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Verdict
from railbed.contract import Contract
from railbed.effects.slurm_text import Job
from railbed.run import Result
from railbed.validate import diagnostics
from railbed.validate.answers import Answers, judged
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

DATA = Path(__file__).parent.parent / "data/parse"
CLAIM = Claim(
    id=diagnostics.CLAIM,
    statement="DCGM passes",
    roles=["compute", "spare"],
    measured_by="dcgmi",
    simulated=True,
)
ENGINE = CLAIM.model_copy(update={"id": "node.dcgm_engine"})
NODES = [f"h100-{i}" for i in range(4)]
Run = Callable[..., Any]


def said(diag: str, health: str = "healthy.json", code: int = 0) -> Callable[[str, str], Result]:
    """What a node of two GPUs answers."""
    text = (DATA / "dcgmi_diag" / diag).read_text()
    watched = (DATA / "dcgmi_health" / health).read_text()
    return lambda _, line: Result((line,), code, f"{text}\n{diagnostics.MARK}\n{watched}", "")


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Run:
    """Node → verdict, and what was run; ``prepare`` changes the run first."""

    def runs(
        answer: Any, prepare: Callable[[ValidationRun], None] = lambda _: None, *, quick: bool = False
    ) -> Any:
        nodes = [node.model_copy(update={"gpus": min(node.gpus, 2)}) for node in contract.nodes]
        made = contract.model_copy(update={"nodes": nodes, "claims": [*contract.claims, CLAIM, ENGINE]})
        scope = select(made, quick=quick)
        validation = ValidationRun(made, fake_remote(answer), scope, Answers(scope), tmp_path, lambda _: None)
        prepare(validation)
        diagnostics.run(validation)
        found = {one.node: one for one in validation.answers.complete() if one.claim == diagnostics.CLAIM}
        return found, validation.remote.commands

    return runs


def test_every_node_is_asked_once_and_passes(run: Run) -> None:
    found, commands = run(said("version-4.json"))
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and list(found) == NODES
    assert sorted(node for node, _ in commands) == NODES
    assert found["h100-0"].detail["level"] == 3 and found["h100-0"].simulated


@pytest.mark.refutes("node.dcgm")
def test_a_failed_test_fails_its_node_also_where_dcgmi_ends_with_an_error(run: Run) -> None:
    found, _ = run(said("version-4-hot.json", code=226))
    assert found["h100-2"].verdict is Verdict.FAIL
    assert found["h100-2"].detail == {"level": 3, "parts": ["gpu 1"]}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Result(("dcgmi",), 3, "", "the host engine does not answer"), "the host engine does not answer"),
        (Result(("dcgmi",), 124, "", ""), "did not end"),
        (Result(("dcgmi",), 127, "", "sh: 4: dcgmi: not found"), "dcgmi"),
        (Result(("dcgmi",), 0, "\x00\xff{{{", ""), "dcgmi diag"),
    ],
)
def test_what_did_not_run_proves_nothing(run: Run, result: Result, reason: str) -> None:
    found, _ = run(lambda *_: result)
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert reason in found["h100-1"].reason


def test_how_deep_follows_from_the_run(run: Run) -> None:
    def in_service(validation: ValidationRun) -> None:
        validation.scheduler, validation.reserved = object(), frozenset({"h100-3"})  # type: ignore[assignment]

    found, commands = run(said("version-4.json"), in_service)
    assert {name: one.detail["level"] for name, one in found.items()} == {
        "h100-0": 2, "h100-1": 2, "h100-2": 2, "h100-3": 3,
    }  # fmt: skip
    assert all(f"diag -r {found[name].detail['level']} -j" in line for name, line in commands)
    assert {one.detail["level"] for one in run(said("version-4.json"), quick=True)[0].values()} == {1}


def test_a_node_at_work_or_whose_driver_is_silent_is_left_alone(run: Run) -> None:
    def prepare(validation: ValidationRun) -> None:
        validation.jobs = [Job(7, "ada", "train", "RUNNING", ("h100-1",), "")]
        validation.unreachable = {"h100-2": "blocked by h100-2, which cannot be reached"}
        question = next(q for q in validation.scope.get("node.gpus") if q.node == "h100-3")
        validation.answers.add(judged(question, Verdict.UNPROVEN, "nvidia-smi: no answer"))

    found, commands = run(said("version-4.json"), prepare)
    assert [node for node, _ in commands] == ["h100-0"]
    assert "job 7 of ada" in found["h100-1"].reason
    assert found["h100-3"].reason == "blocked by node.gpus on h100-3"


@pytest.mark.parametrize("claim", diagnostics.EXPLAINING)
def test_what_is_known_of_the_node_explains_a_diagnosis_that_proves_nothing(run: Run, claim: str) -> None:
    def prepare(validation: ValidationRun) -> None:
        question = next(q for q in validation.scope.get(claim) if q.node == "h100-3")
        validation.answers.add(judged(question, Verdict.FAIL, "broken"))

    silent = Result(("dcgmi",), 3, "", "the host engine does not answer")
    found, _ = run(lambda *_: silent, prepare)
    assert found["h100-3"].verdict is Verdict.UNPROVEN
    assert found["h100-3"].reason.startswith(
        f"blocked by {claim} on h100-3: dcgmi diag on h100-3 ended with 3"
    )
    assert found["h100-2"].reason.startswith("dcgmi diag on h100-2")
    found, _ = run(said("runtime-error.json"), prepare)
    assert found["h100-3"].reason.startswith(f"blocked by {claim} on h100-3: level 3: ")
    assert {one.verdict for one in run(said("version-4.json"), prepare)[0].values()} == {Verdict.PASS}
