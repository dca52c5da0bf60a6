"""The contracts that a checkout keeps of a stack: written with the stack's key, read only where they have its MAC."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from railbed import contract as contracts
from railbed.contract import Contract
from railbed.effects import files
from railbed.effects.secrets import contract_key, ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError


def load(work: Workspace, file: Path | None = None) -> Contract:
    """The stack's contract, or another one of its that is kept in ``file``.

    Raises ContractError where it is missing or cut short, and as `contract.parse` does.
    """
    path = file or work.contract_file
    return parse(work, contracts.read_json(path), str(path))


def parse(work: Workspace, data: Any, where: str) -> Contract:
    """The contract in ``data`` (decoded JSON). Raises as `load` does."""
    return contracts.parse(data, where, _key(work))


def write(work: Workspace, contract: Contract, file: Path | None = None) -> None:
    """Keeps a sealed contract as the stack's, or in ``file``."""
    body = authenticated(work, contract.as_json())
    files.replace(file or work.contract_file, json.dumps(body, indent=1) + "\n")


def authenticated(work: Workspace, body: dict[str, Any]) -> dict[str, Any]:
    """A sealed contract's JSON data with the MAC of the stack's key. Makes the key where there is none."""
    ensure_stack_secrets(work)
    return contracts.authenticated(body, contract_key(work).read_bytes())


def adopt(work: Workspace, file: Path, say: Callable[[str], None]) -> None:
    """Takes over a contract that an earlier railbed wrote into this checkout, so that names and host keys stay.

    The ways to the nodes were free commands before contracts had a MAC. Those are dropped: until the next `up` has made the
    contract anew, nodes behind a proxy are not reached by it. A contract of today is left alone. Raises ContractError for one
    that was edited, or does not hold.
    """
    data = contracts.read_json(file) if file.exists() else None
    if not isinstance(data, dict) or data.get("schema") != contracts.SCHEMA:
        return
    had_mac = contracts.MAC in data
    if had_mac and ("classes" in data or not contracts.is_authentic(data, _key(work))):
        return
    body = {name: value for name, value in data.items() if name != contracts.MAC}
    if body.get("hash") != contracts.digest_of(body):
        raise ContractError(
            "the contract was changed after it was made", path=f"{file}:hash",
            hint="move it away and run `railbed up` again, which makes it anew",
        )  # fmt: skip
    if not had_mac:
        body["nodes"] = [{**node, "ssh": {**node["ssh"], "proxy": None}} for node in body["nodes"]]
        for node in body["nodes"]:
            node["ssh"].pop("proxy_passes_fd", None)
    for repository in body["software"]["repositories"]:
        repository.pop("signs", None)
    write(work, contracts.validated(body, str(file)).sealed(), file)
    lost = "" if had_mac else ", its proxy commands go"
    say(f"{file.name} of an earlier railbed: its names and host keys stay{lost}")


def _key(work: Workspace) -> bytes | None:
    file = contract_key(work)
    return file.read_bytes() if file.exists() else None
