"""The controller's side of the on-node suite: what travels, and what comes back or does not."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Verdict
from railbed.contract import Contract, expectations
from railbed.defaults import SSH_FANOUT
from railbed.effects.scheduler import Scheduler
from railbed.errors import ContractError
from railbed.run import Result
from railbed.validate import on_node
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun


def test_the_bundle_holds_the_suite_and_what_to_expect(contract: Contract) -> None:
    wanted = expectations.of(contract, contract.node("h100-1"))
    with tarfile.open(fileobj=io.BytesIO(on_node.bundle(wanted))) as archive:
        names = set(archive.getnames())
        read = archive.extractfile("expectations.json")
        assert read is not None
        assert json.load(read) == wanted
        empty = archive.extractfile("railbed/validate/__init__.py")
        assert empty is not None
        assert empty.read() == b""
    assert {
        f"railbed/validate/node/{n}.py" for n in ("conftest", "healthcheck", "test_gpus", "test_limits")
    } <= names


def test_expectations_come_from_the_contract(contract: Contract) -> None:
    wanted = expectations.of(contract, contract.node("h100-1"))
    assert (wanted["gpus"], wanted["gpu_model"], wanted["driver"]) == (
        8,
        "NVIDIA H100 80GB HBM3",
        "570.124.06",
    )
    assert wanted["rails"][1] == {
        "index": 1,
        "device": "rail1",
        "netdev": "rail1",
        "address": "10.91.1.12/24",
        "mtu": 9000,
        "rate_gbps": 0.1,
    }
    assert wanted["packages"]["nvidia-open"] == wanted["packages"]["nvidia-fabricmanager-570"] == "570.124.06"
    assert wanted["held_packages"]["nvidia-open"] == "driver"
    assert wanted["held_packages"]["nvidia-fabricmanager-570"] == "fabric manager"
    controller = expectations.of(contract, contract.node("ctl0"))
    assert controller["packages"]["chrony"] == "4.3" and controller["packages"]["prometheus"] == "2.42.0"
    assert "prometheus" not in wanted["packages"] and "nvidia-open" not in controller["packages"]
    assert controller["driver"] == controller["fabric_manager"] == "" and controller["held_packages"] == {}
    mount = {"path": "/scratch", "kind": "moosefs", "server": "ctl0"}
    assert controller["mounts"] == wanted["mounts"] == [mount]
    assert wanted["login"] == "root"


def test_a_bounded_number_of_nodes_is_asked_at_once_and_silence_is_each_ones_own(
    contract: Contract, fake_remote: Any, tmp_path: Path
) -> None:
    claim = Claim(id="node.gpus", statement="", roles=["compute", "spare"])
    made = contract.model_copy(update={"claims": [claim]})
    remote, scope = fake_remote(lambda *_: None), select(made)
    validation = ValidationRun(made, remote, scope, Answers(scope), tmp_path, lambda _: None)
    on_node.run(validation)
    assert remote.at_once == [SSH_FANOUT]
    found = validation.answers.complete()
    assert {one.verdict for one in found} == {Verdict.UNPROVEN}
    assert all(f"blocked by {one.node}, which cannot be reached" in one.reason for one in found)


def test_only_the_first_card_of_a_rail_has_its_address(contract: Contract) -> None:
    node = contract.node("h100-1")
    card = node.rails[0].nics[0]
    two = node.rails[0].model_copy(update={"nics": [card, card.model_copy(update={"netdev": "rail0b"})]})
    wanted = expectations.of(contract, node.model_copy(update={"rails": [two]}))
    assert [one["address"] for one in wanted["rails"]] == ["10.91.0.12/24", ""]


@pytest.mark.parametrize(("transport", "rate_gbps"), [("efa", 0.0), ("infiniband", 400.0), ("roce", 400.0)])
def test_no_rate_is_expected_of_cards_whose_driver_knows_none(
    contract: Contract, transport: Any, rate_gbps: float
) -> None:
    """EFA of p5en has 200 Gb/s and says 100 with the driver of Ubuntu's kernel: every node would drain itself."""
    node = contract.node("h100-1")
    card = node.rails[0].nics[0].model_copy(update={"rate_gbps": 400.0})
    rails = [node.rails[0].model_copy(update={"nics": [card]})]
    machines = [one.model_copy(update={"transport": transport}) for one in contract.machines]
    made = contract.model_copy(update={"machines": machines})
    wanted = expectations.of(made, node.model_copy(update={"rails": rails}))
    assert [one["rate_gbps"] for one in wanted["rails"]] == [rate_gbps]


def test_a_package_that_is_numbered_otherwise_than_its_program_is_looked_for_by_its_own_number(
    contract: Contract,
) -> None:
    parts = {"nccl": ("2.30.4", "2.30.4-1+cuda13.2"), "dcgm_exporter": ("4.5.3-4.8.2", "4.8.2-1")}
    versions = {part: version for part, (version, _) in parts.items()}
    software = contract.software.model_copy(
        update={
            "packages": {part: part for part in parts},
            "package_versions": {part: whole for part, (_, whole) in parts.items()},
        }
    )
    classes = [one.model_copy(update={"components": versions, "packages": {}}) for one in contract.classes]
    other = contract.model_copy(update={"software": software, "classes": classes})
    expected = expectations.of(other, other.node("h100-1"))["packages"]
    assert expected == {"nccl": "2.30.4", "dcgm_exporter": "4.8.2-1"}


def test_a_contract_without_classes_is_refused(contract: Contract) -> None:
    with pytest.raises(ContractError, match="does not say what h100-1 gets"):
        expectations.of(contract.model_copy(update={"classes": []}), contract.node("h100-1"))


def test_rdma_needs_locked_memory_without_limit(contract: Contract) -> None:
    roce = contract.machines[0].model_copy(update={"transport": "roce"})
    other = contract.model_copy(update={"machines": [roce]})
    assert expectations.of(other, other.node("h100-1"))["memlock_min_kib"] is None
    assert expectations.of(contract, contract.node("h100-1"))["memlock_min_kib"] == 8192


RECORD = {
    "claim": "node.gpus", "verdict": "fail", "reason": "7 of 8 GPUs listed; missing: gpu 5", "measured": 7,
    "unit": "GPUs", "expected": 8, "parts": ["gpu 5"], "at": "2026-11-24T08:00:00+00:00",
}  # fmt: skip


@pytest.fixture
def ask(contract: Contract, tmp_path: Path, fake_remote: Any) -> Any:
    def run(said: Any) -> tuple[dict[tuple[str, str], Any], ValidationRun]:
        def answer(node: str, line: str) -> Result:
            return said(node) if "pytest" in line else Result((), 0, "", "")

        remote = fake_remote(answer)
        scope = select(contract, pattern="node.*")
        validation = ValidationRun(contract, remote, scope, Answers(scope), tmp_path, lambda _: None)
        validation.scheduler = Scheduler(remote)
        on_node.run(validation)
        return {(c.claim, c.node): c for c in validation.answers.complete()}, validation

    return run


def test_a_record_becomes_a_verdict_with_its_part(ask: Any) -> None:
    found, _ = ask(lambda _: Result((), 0, json.dumps([RECORD]), "1 failed"))
    record = found["node.gpus", "h100-0"]
    assert (record.verdict, record.measured, record.floor) == (Verdict.FAIL, 7, 8)
    assert record.detail == {"parts": ["gpu 5"]}
    assert record.simulated
    assert record.evidence == "evidence/h100-0/checks.txt"
    assert found["node.time", "h100-0"].verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("text", ["", "Traceback", "{}", "[1]", '[{"verdict": "pass"}]'])
def test_garbage_proves_nothing(ask: Any, text: str) -> None:
    found, _ = ask(lambda _: Result((), 4, text, "cat: results.json: No such file"))
    assert {c.verdict for c in found.values()} == {Verdict.UNPROVEN}
    assert "No such file" in found["node.gpus", "h100-0"].reason


def test_a_verdict_that_is_none_of_the_three_proves_nothing(ask: Any) -> None:
    found, _ = ask(lambda _: Result((), 0, json.dumps([{**RECORD, "verdict": "ok"}]), ""))
    assert found["node.gpus", "h100-0"].verdict is Verdict.UNPROVEN


def test_a_node_that_cannot_be_reached_takes_no_part(ask: Any) -> None:
    found, validation = ask(lambda node: Result((), 255, "", "No route to host") if node == "h100-2" else
                       Result((), 0, json.dumps([{**RECORD, "verdict": "pass"}]), ""))  # fmt: skip
    assert found["node.gpus", "h100-2"].verdict is Verdict.UNPROVEN
    assert "cannot be reached" in found["node.gpus", "h100-2"].reason
    assert found["node.gpus", "h100-1"].verdict is Verdict.PASS
    assert list(validation.unreachable) == ["h100-2"]


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (Result((), 4, "", "timeout: failed to run command ‘python3’: No such file or directory\ncat: results.json: no"),
         "python3 is not installed on h100-1"),
        (Result((), 4, "", "timeout: failed to run command ‘python3’: Permission denied\ncat: results.json: no"),
         "python3 may not be executed on h100-1: Permission denied"),
        (Result((), 4, "", "/usr/bin/python3: No module named pytest\ncat: results.json: no"),
         "Python on h100-1 lacks the module pytest"),
        (Result((), 255, "", "ssh: connect to host 10.90.0.12 port 22: Connection refused"), "no SSH server listens on h100-1"),
        (Result((), 255, "", "Host key verification failed."), "the SSH host key of h100-1 is not the one"),
    ],
)  # fmt: skip
def test_why_a_node_gave_no_result_is_a_sentence(ask: Any, result: Result, sentence: str) -> None:
    good = Result((), 0, json.dumps([{**RECORD, "verdict": "pass"}]), "")
    found, _ = ask(lambda node: result if node == "h100-1" else good)
    record = found["node.gpus", "h100-1"]
    assert record.verdict is Verdict.UNPROVEN
    assert sentence in record.reason
    assert found["node.gpus", "h100-0"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: 'dcgmi'", "dcgmi is not installed on h100-1"),
        ("KeyError: 'gpus'", "the check of node.gpus crashed on h100-1: KeyError: 'gpus'"),
    ],
)  # fmt: skip
def test_why_a_check_crashed_is_a_sentence(ask: Any, said: str, sentence: str) -> None:
    record = {**RECORD, "verdict": "unproven", "reason": on_node.CRASHED + said}
    found, _ = ask(lambda _: Result((), 0, json.dumps([record]), ""))
    assert found["node.gpus", "h100-1"].reason == sentence


def test_a_munge_key_that_differs_is_named_beside_the_state_of_the_node(
    contract: Contract, tmp_path: Path, fake_remote: Any
) -> None:
    limits = Claim(id="node.limits", statement="limits", roles=["compute"])
    known = contract.model_copy(update={"claims": [limits]})
    said = "no step on this node: srun: error: Unable to allocate resources: Zero Bytes were transmitted or received"
    states = [f"NodeName=h100-{i} State={'DOWN*' if i == 1 else 'IDLE'} Partitions=batch" for i in range(4)]

    def answer(node: str, line: str) -> Result:
        record = {
            "claim": "node.limits",
            "verdict": "unproven",
            "reason": said if node == "h100-1" else "no step",
        }
        if "pytest" in line:
            return Result((), 0, json.dumps([record]), "")
        return Result((), 0, "\n".join(states) if "show node" in line else "", "")

    remote = fake_remote(answer)
    scope = select(known, pattern="node.*")
    validation = ValidationRun(known, remote, scope, Answers(scope), tmp_path, lambda _: None)
    validation.scheduler = Scheduler(remote)
    on_node.run(validation)
    reasons = {c.node: c.reason for c in validation.answers.complete()}
    assert reasons["h100-1"] == (
        "blocked by scheduler.state: h100-1 is DOWN+NOT_RESPONDING: "
        "the munge key or clock of h100-1 differs from the controller's"
    )
    assert reasons["h100-0"] == "no step"
