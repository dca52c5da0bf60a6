"""From JSON to a contract: only one that this stack's key has authenticated, whole and unchanged.

A contract says which command reaches a node and which keys its host has. It passes through the engine's state and through
backups, where others may write; its hash alone, they could compute too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from railbed import inputs
from railbed.contract.whole import SCHEMA, Contract
from railbed.errors import ContractError

MAC = "mac"
"""Key of the document beside those of the contract."""
DOMAIN = b"railbed contract\0"
"""What the stack's key authenticates; no other use of the key has this beginning."""
LAST_BYTES = 300
LAST_WORDS = re.compile(rb'"hash": "([0-9a-f]{64})",\s*"mac": "[0-9a-f]{64}"\s*}\s*$')
"""How a contract ends that railbed wrote: for thousands of nodes, reading all of it takes a quarter of a second."""
NOT_MADE_HERE = (
    "do not use it. In a team, compare `secrets/contract.key` with the operator who ran `railbed up` last: if yours is another, "
    "remove yours, run `railbed setup` and compare again. Else move the contract away and run `railbed up`, which makes it anew"
)


class MacError(ContractError):
    """The contract was not made with the stack's key."""

    code = "CONTRACT_MAC"


def mac_of(digest: str, key: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) over the contract's hash, which covers everything in it."""
    return hmac.new(key, DOMAIN + digest.encode(), hashlib.sha256).hexdigest()


def authenticated(body: dict[str, Any], key: bytes) -> dict[str, Any]:
    """A sealed contract's JSON data with its MAC."""
    return {**body, MAC: mac_of(str(body["hash"]), key)}


def is_authentic(body: dict[str, Any], key: bytes | None) -> bool:
    """Whether a contract's JSON data has the MAC of ``key`` over the hash that it claims."""
    return key is not None and hmac.compare_digest(
        str(body.get(MAC)).encode(), mac_of(str(body.get("hash")), key).encode()
    )


def parse(data: Any, where: str, key: bytes | None) -> Contract:
    """The contract in ``data`` (decoded JSON). ``key``: the stack's, None where this checkout has none.

    Raises MacError where it has no MAC of the key; ContractError for another schema, a bad field or a broken hash.
    """
    if not isinstance(data, dict) or not data:
        raise ContractError("the contract is empty", path=where, hint="run `railbed up` first")
    if data.get("schema") != SCHEMA:
        raise ContractError(
            "the contract has another schema", path=f"{where}:schema", found=data.get("schema"), allowed=SCHEMA,
            hint="run `railbed up` with this version of railbed",
        )  # fmt: skip
    mac, body = data.get(MAC), {name: value for name, value in data.items() if name != MAC}
    if mac is None:
        raise MacError(
            "the contract has no MAC: an earlier railbed made it, or somebody else", path=f"{where}:{MAC}",
            hint="run `railbed up` where the stack was last operated: it makes the contract anew",
        )  # fmt: skip
    if key is None:
        raise MacError(
            "this checkout has no key to check the contract with", path=f"{where}:{MAC}",
            hint="run `railbed setup`, which takes a team's keys from the state, or `railbed up`",
        )  # fmt: skip
    if not is_authentic(data, key):
        raise MacError(
            "the contract was not made with this stack's key", path=f"{where}:{MAC}", hint=NOT_MADE_HERE
        )
    contract = validated(body, where)
    if body.get("hash") not in (contract.digest(), contract.digest_as_read()):
        raise ContractError(
            "the contract was changed after it was made", path=f"{where}:hash",
            hint="never edit it; run `railbed up` again",
        )  # fmt: skip
    return contract


def validated(body: dict[str, Any], where: str) -> Contract:
    """The contract in ``body``, whoever made it. Raises ContractError for a bad field, or for no nodes."""
    try:
        contract = Contract.model_validate_json(json.dumps(body))
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise ContractError(
            f"the contract does not hold: {first['msg']}", path=f"{where}:{'.'.join(map(str, first['loc']))}",
            found=str(first.get("input"))[:120], hint="run `railbed up` again",
        ) from None  # fmt: skip
    if not contract.nodes:
        raise ContractError("the contract has no nodes", path=f"{where}:nodes", hint="run `railbed up` again")
    return contract


def hash_on_disk(path: Path) -> str:
    """The hash that a stack's contract file says it has, unchecked. Raises ContractError where it is missing or cut short."""
    if path.exists():
        with path.open("rb") as source:
            source.seek(max(0, path.stat().st_size - LAST_BYTES))
            if last := LAST_WORDS.search(source.read()):
                return last[1].decode()
    data = read_json(path)
    return str(data.get("hash", "")) if isinstance(data, dict) else ""


def read_json(path: Path) -> Any:
    """What a contract file holds. Raises ContractError where it is missing or no whole JSON."""
    if not path.exists():
        raise ContractError(
            "this stack has no contract yet", path=str(path), hint="run `make up` (or `railbed up`) first"
        )
    return inputs.read_json(path, error=ContractError, hint="run `railbed up` again")
