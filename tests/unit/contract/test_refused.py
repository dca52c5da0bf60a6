"""Whoever reads a contract refuses one that the stack's key did not make; nothing of it is run, written or asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure.conftest import small
from tests.unit.contract.test_mac import sealed_again

from railbed import configure, contract, platforms
from railbed.cli import main as cli
from railbed.configure import stack
from railbed.effects import contract_store
from railbed.effects.secrets import ensure_stack_secrets, shared
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError
from railbed.operate.recall import recall
from railbed.platforms.cloud import cluster

COMMANDS = [
    ("node", "list"), ("node", "show", "h100-0"), ("node", "history", "h100-0"), ("node", "drain", "h100-0", "--reason", "x"),
    ("node", "repair", "h100-0"), ("validate",), ("validate", "--quick"), ("converge",), ("converge", "--check"), ("drift",),
    ("upgrade", "--to", "2026.12"), ("lab", "fault", "clear"),
    ("lab", "fault", "inject", "link-down", "h100-0", "0"),
]  # fmt: skip


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A checkout whose stack was made."""
    (tmp_path / "Pulumi.yaml").write_text("name: railbed\n")
    (tmp_path / "infra").mkdir()
    monkeypatch.chdir(tmp_path)
    made = Workspace(tmp_path, "small")
    ensure_stack_secrets(made)
    contract_store.write(made, small())
    return made


def earlier(work: Workspace) -> dict[str, Any]:
    """The contract as railbed wrote it before it had a MAC, with free commands."""
    body = small().as_json()
    for node in body["nodes"]:
        node["ssh"].update(proxy=f"touch {work.root}/executed", proxy_passes_fd=False)
    return sealed_again(body)


def forged(work: Workspace, form: str) -> dict[str, Any]:
    """What a writer of the bucket can make: another domain, re-hashed, with a MAC that he has seen, or with none."""
    known = json.loads(work.contract_file.read_text())
    if form == "command":
        return earlier(work)
    body = {**known, "domain": "elsewhere.test"}
    mac = {"seen": known["mac"], "zero": "0" * 64, "none": None}[form]
    return {**sealed_again(body), **({"mac": mac} if mac else {})}


@pytest.mark.parametrize(
    ("words", "form"),
    [
        *((words, "command") for words in COMMANDS),
        *((COMMANDS[0], form) for form in ("seen", "zero", "none")),
    ],
)
@pytest.mark.usefixtures("whole")
def test_no_command_uses_it(
    words: tuple[str, ...],
    form: str,
    work: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work.contract_file.write_text(json.dumps(forged(work, form)))
    monkeypatch.setattr(sys, "argv", ["railbed", *words, "--stack", "small"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown = capsys.readouterr()
    assert ended.value.code == 2 and "CONTRACT_MAC" in shown.out + shown.err
    assert not (work.root / "executed").exists() and not work.ssh_config.exists()


def test_converge_and_inventory_refuse_it(work: Workspace) -> None:
    work.contract_file.write_text(json.dumps(forged(work, "seen")))
    with pytest.raises(contract.MacError):
        stack.load(work)
    with pytest.raises(ContractError, match="not the one to converge"):
        configure.converge(small(), work)
    contract_store.write(work, small())
    stack.converged_file(work).write_text(json.dumps(forged(work, "seen")))
    with pytest.raises(contract.MacError):
        stack.load(work)


def test_the_program_takes_no_names_and_keys_from_it(work: Workspace) -> None:
    def names() -> dict[str, str]:
        return cluster.previous_of(platforms.site_of("aws", work)).names

    assert len(names()) == 4
    work.contract_file.write_text(json.dumps(forged(work, "seen")))
    with pytest.raises(contract.MacError):
        names()
    work.contract_file.unlink()
    assert names() == {}


class Engine:
    """A session with the outputs of another operator's last `up`."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        self.known = outputs

    def open(self) -> None:
        return

    def outputs(self) -> dict[str, Any]:
        return self.known


def join(work: Workspace, outputs: dict[str, Any]) -> list[str]:
    """What `railbed setup` does with the state; what it says."""
    said: list[str] = []
    recall(work, Engine(outputs), said.append)  # type: ignore[arg-type]
    return said


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("second"), "small")


def test_a_second_operator_gets_the_key_and_the_contract(work: Workspace, second: Workspace) -> None:
    known = json.loads(work.contract_file.read_text())
    said = join(second, {"secrets": shared(work), "contract": known})
    assert contract_store.load(second) == small() and second.ssh_config.exists()
    assert f"sha256sum {second.secrets}/contract.key" in said[0]
    assert (second.secrets / "contract.key").stat().st_mode & 0o777 == 0o600
    assert join(second, {}) == [], "what is there stays"


@pytest.mark.parametrize("form", ["seen", "zero", "none", "command"])
def test_a_second_operator_refuses_a_forged_contract(work: Workspace, second: Workspace, form: str) -> None:
    with pytest.raises(contract.MacError):
        join(second, {"secrets": shared(work), "contract": forged(work, form)})
    assert not second.contract_file.exists() and not second.ssh_config.exists()


def test_keys_in_the_state_never_replace_those_of_an_operator(work: Workspace, second: Workspace) -> None:
    """Who writes the bucket puts a contract there, and the key that made it."""
    ensure_stack_secrets(second)
    contract_store.write(second, small().model_copy(update={"domain": "elsewhere.test"}).sealed())
    outputs = {"secrets": shared(second), "contract": json.loads(second.contract_file.read_text())}
    assert join(work, outputs) == [] and contract_store.load(work) == small()
    work.contract_file.unlink()
    with pytest.raises(contract.MacError):
        join(work, outputs)


def test_a_lab_whose_folder_is_gone_starts_anew(work: Workspace, second: Workspace) -> None:
    """Its secrets are in no state, so nobody can check the contract that is."""
    said = join(second, {"contract": json.loads(work.contract_file.read_text())})
    assert "not used" in said[0] and not second.contract_file.exists()


def test_a_contract_of_an_earlier_railbed_keeps_names_and_host_keys_and_no_command(work: Workspace) -> None:
    for file in (work.contract_file, stack.converged_file(work)):
        file.write_text(json.dumps(earlier(work)))
    (work.secrets / "contract.key").unlink()
    said = join(work, {"secrets": {}})
    assert len(said) == 2 and all("host keys stay" in line for line in said)
    assert (
        contract_store.load(work).nodes
        == contract_store.load(work, stack.converged_file(work)).nodes
        == small().nodes
    )
    assert join(work, {}) == []


def test_an_edited_contract_of_an_earlier_railbed_is_refused(work: Workspace) -> None:
    work.contract_file.write_text(json.dumps({**earlier(work), "domain": "elsewhere.test"}))
    with pytest.raises(ContractError, match="changed after it was made"):
        join(work, {})
    odd = earlier(work)
    odd["nodes"][0]["ssh"]["host_keys"] = ["ssh-ed25519 AAAA\n* ssh-ed25519 AAAA"]
    work.contract_file.write_text(json.dumps(sealed_again(odd)))
    with pytest.raises(ContractError, match="does not hold"):
        join(work, {})


def test_a_contract_with_a_mac_is_never_adopted(work: Workspace) -> None:
    work.contract_file.write_text(json.dumps(forged(work, "zero")))
    assert join(work, {}) == []
    with pytest.raises(contract.MacError):
        contract_store.load(work)


def without_classes(work: Workspace) -> dict[str, Any]:
    """As railbed wrote contracts before they said what nodes get."""
    body = json.loads(work.contract_file.read_text())
    gone = ("mac", "hash", "classes", "hosts")
    body = {name: value for name, value in body.items() if name not in gone}
    for node in body["nodes"]:
        del node["node_class"]
    for repository in body["software"]["repositories"]:
        repository["signs"] = ["index"]
    return contract_store.authenticated(work, sealed_again(body))


def test_a_contract_from_before_classes_is_taken_over_with_its_names_and_host_keys(work: Workspace) -> None:
    work.contract_file.write_text(json.dumps(without_classes(work)))
    with pytest.raises(ContractError):
        contract_store.load(work)
    assert join(work, {}) == ["contract.json of an earlier railbed: its names and host keys stay"]
    known = contract_store.load(work)
    assert [(n.name, n.identity, n.ssh) for n in known.nodes] == [
        (n.name, n.identity, n.ssh) for n in small().nodes
    ]
    with pytest.raises(ContractError, match="does not say what ctl0 gets"):
        known.class_of(known.nodes[0])
    assert join(work, {}) == []


def test_another_keys_contract_from_before_classes_is_not(work: Workspace) -> None:
    work.contract_file.write_text(json.dumps({**without_classes(work), "mac": "0" * 64}))
    assert join(work, {}) == []
    with pytest.raises(contract.MacError):
        contract_store.load(work)
