"""What a stack's earlier runs came to, this operator's or another's: its keys and its contract, checked and stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from railbed import configure
from railbed.contract import Contract, MacError
from railbed.effects import contract_store
from railbed.effects.engine.session import Session
from railbed.effects.remote import write_ssh_files
from railbed.effects.secrets import complete, contract_key, ensure_stack_secrets, take
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError

Say = Callable[[str], None]


def recall(work: Workspace, session: Session, say: Say) -> None:
    """What another operator's runs of this stack came to: the same keys, and nodes keep their names and host keys.

    Raises MacError for a team's contract that was not made with the team's key.
    """
    if work.contract_file.exists() and complete(work):
        session.open()
    else:
        _take(work, session.outputs(), say)
    if work.contract_file.exists():
        ensure_stack_secrets(work)
        for file in (work.contract_file, configure.converged_file(work)):
            contract_store.adopt(work, file, say)


def _take(work: Workspace, known: dict[str, Any], say: Say) -> None:
    """Keys and contract from the stack's outputs, where this checkout lacks them."""
    secrets = known.get("secrets") or {}
    if take(work, secrets):
        say(
            f"took the stack's keys from the state; compare `sha256sum {contract_key(work)}` with another operator's"
        )
    if work.contract_file.exists() or known.get("contract") is None:
        return
    try:
        configure.learn(store(work, known["contract"]), work)
    except ContractError as broken:
        if isinstance(broken, MacError) and secrets:
            raise
        say(f"the stack's last contract is not used: {broken.message}")


def store(work: Workspace, data: Any) -> Contract:
    """Checks a contract and writes it where inventory, checks and repairs read it."""
    contract = contract_store.parse(work, data, f"output contract of stack {work.stack}")
    work.dir.mkdir(parents=True, exist_ok=True)
    contract_store.write(work, contract)
    write_ssh_files(work, contract)
    return contract
