"""The release of a node moves only where it was drained for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed import configure
from railbed.configure import releases, stack
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError, UsageError
from railbed.run import Result


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "small")
    made.dir.mkdir(parents=True)
    return made


def test_a_new_cluster_and_the_same_release_go_on(work: Workspace) -> None:
    configure.refuse_move(work, ["a", "b"], "2026.12")
    releases.record(work, ["a", "b"], "2026.12")
    configure.refuse_move(work, ["a", "b", "new"], "2026.12")
    assert work.releases.read() == {"a": "2026.12", "b": "2026.12"}, "asking records nothing"


def test_another_release_is_refused_and_says_how(work: Workspace) -> None:
    releases.record(work, ["a", "b"], "2026.11")
    releases.record(work, ["b"], "2026.12")
    with pytest.raises(UsageError) as refused:
        configure.refuse_move(work, ["a", "b"], "2026.12")
    assert refused.value.code == "RELEASE_MOVES"
    assert refused.value.found == "a 2026.11"
    assert "railbed upgrade --to 2026.12" in refused.value.hint
    configure.refuse_move(work, ["b"], "2026.12")


def test_who_left_is_forgotten(work: Workspace) -> None:
    releases.record(work, ["a", "b"], "2026.11")
    stack.let_go(work, ["a"])
    assert work.releases.read() == {"b": "2026.11"}
    configure.refuse_move(work, ["a"], "2026.12")


def test_a_broken_list_is_an_error_and_not_empty(work: Workspace) -> None:
    work.releases.path.write_text('{"a": ')
    with pytest.raises(ContractError, match="not whole JSON"):
        work.releases.read()


def test_nodes_of_another_checkout_are_asked(
    work: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "ctl0": Result((), 0, json.dumps({"release": "2026.11"}), ""),
        "h100-0": Result((), 0, "{cut", ""),
        "h100-1": Result((), 255, "", "Connection timed out"),
        "h100-2": Result((), 0, "[]", ""),
    }

    def answer(_: Remote, node: str, *__: Any, **___: Any) -> Result:
        return told[node]

    monkeypatch.setattr(Remote, "run", answer)
    configure.learn(contract, work)
    assert work.releases.read() == {"ctl0": "2026.11"}


def test_a_checkout_without_a_list_asks_before_it_lets_a_release_move(
    work: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(_: Remote, node: str, *__: Any, **___: Any) -> Result:
        asked.append(node)
        return Result((), 0, json.dumps({"release": "2026.11"}), "")

    monkeypatch.setattr(Remote, "run", answer)
    names = [node.name for node in contract.nodes]
    configure.refuse_move(work, names, "2026.12")
    assert asked == [], "a new cluster has nobody to ask"
    contract_store.write(work, contract)
    work.accepted.write({"h100-0": "id-11"})
    with pytest.raises(UsageError, match="another software release"):
        configure.refuse_move(work, names, "2026.12")
    assert sorted(asked) == sorted(names)
    configure.refuse_move(work, names, "2026.11")
    assert len(asked) == len(names), "once"
    releases.forget(work, ["h100-1"])
    with pytest.raises(UsageError, match="1 nodes have another"):
        configure.refuse_move(work, ["h100-1", "not-made-yet"], "2026.12")
    assert asked[len(names) :] == ["h100-1"], "only whom it does not know, and who is there"
