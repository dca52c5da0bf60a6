"""What a measurement is given that is no measurement: nothing at all, and far too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed import contract as contracts
from railbed.claims import Verdict
from railbed.contract import Contract
from railbed.errors import ContractError, UsageError
from railbed.judge import nccl_hosts
from railbed.run import run
from railbed.validate import collective_programs
from railbed.validate.answers import Answers, total
from railbed.validate.collective_programs import NCCL_LOG_BYTES
from railbed.validate.scope import Scope, select

TEN_GB = 10 * 1000**3


def test_a_contract_without_nodes_is_refused(contract: Contract) -> None:
    body = contract.model_dump(mode="json", by_alias=True) | {"nodes": []}
    with pytest.raises(ContractError, match="the contract has no nodes") as refused:
        contracts.validated(body, "contract.json")
    assert refused.value.hint == "run `railbed up` again"


def test_a_run_that_asks_nothing_is_refused_and_no_answer_is_no_pass(contract: Contract) -> None:
    for narrowed in ({"only": ["h100-9"]}, {"pattern": "node.quantum"}):
        with pytest.raises(UsageError):
            select(contract, **narrowed)  # type: ignore[arg-type]
    assert Answers(Scope(())).complete() == []
    assert total([], {}) is Verdict.UNPROVEN


def test_a_log_of_10_gb_is_read_as_its_beginning_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collective_programs, "NCCL_LOG_FOLDER", str(tmp_path))
    log = tmp_path / f"{collective_programs.LOG}ab.h100-0.7"
    log.write_text("h100-0:7:9 [0] NCCL INFO the first line\n")
    with log.open("rb+") as sink:
        sink.truncate(TEN_GB)  # sparse: takes no room
    told = run(collective_programs.take_logs("ab", NCCL_LOG_BYTES)).stdout
    cut = f"{nccl_hosts.CUT}{log.name}\n"
    assert told.startswith(f"{cut}h100-0:7:9 [0] NCCL INFO the first line\n")
    assert len(told) == len(cut) + NCCL_LOG_BYTES
    assert log.name in nccl_hosts.unread(told, ["h100-0"])
    assert not log.exists()
