"""A contract holds where the stack's key made it: not by its hash, which who changes it can compute as well."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.contract.conftest import full
from tests.unit.contract.test_strings import ALL, Path, changed, named

from railbed import contract as contracts
from railbed.contract import Contract, MacError, authenticated, parse
from railbed.errors import ContractError

KEY = bytes(range(32))
OTHER = bytes(32)


def sealed_again(body: dict[str, Any]) -> dict[str, Any]:
    """What an attacker can do without the key."""
    rest = {name: value for name, value in body.items() if name not in ("mac", "hash")}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return {**rest, "hash": hashlib.sha256(text.encode()).hexdigest()}


def test_what_the_key_made_is_read_back(contract: Contract) -> None:
    made = authenticated(contract.as_json(), KEY)
    assert parse(json.loads(json.dumps(made)), "x", KEY) == contract
    assert {**made, "mac": None, "hash": None}.keys() == {*contract.as_json(), "mac"}
    assert list(made)[-2:] == ["hash", "mac"], "as it is read from the end of a file"


def test_numbers_may_have_been_through_the_engine(contract: Contract) -> None:
    """It keeps all of them as doubles, and gives whole ones back as integers."""

    def through(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: through(value) for key, value in data.items()}
        if isinstance(data, list):
            return [through(value) for value in data]
        return int(data) if isinstance(data, float) and data.is_integer() else data

    assert parse(through(authenticated(contract.as_json(), KEY)), "x", KEY) == contract


def test_what_an_earlier_railbed_did_not_write_has_its_default(contract: Contract) -> None:
    """Such a contract is whole: its hash covers what it says, and nothing may be added to it either."""
    body = json.loads(json.dumps(contract.as_json()))
    for one in body["classes"]:
        del one["boot_line"], one["image"]
    old = authenticated(sealed_again(body), KEY)
    assert [one.boot_line for one in parse(old, "x", KEY).classes] == [[] for _ in contract.classes]
    assert {one.image.profile for one in parse(old, "x", KEY).classes} == {"stock"}
    old["classes"][0]["boot_line"] = ["iommu=off"]
    with pytest.raises(ContractError, match="changed"):
        parse(old, "x", KEY)


@pytest.mark.parametrize("path", [one for one in ALL if one[0] not in ("schema", "hash")], ids=named)
def test_no_change_gets_through(path: Path, body: dict[str, Any]) -> None:
    made = authenticated(body, KEY)
    spoilt = changed(made, path, lambda text: f"{text[:-1]}{'a' if text[-1:] != 'a' else 'b'}")
    with pytest.raises(ContractError):
        parse(spoilt, "x", KEY)
    for forged in (sealed_again(spoilt), {**sealed_again(spoilt), "mac": made["mac"]}):
        with pytest.raises(MacError):
            parse(forged, "x", KEY)


@given(st.binary(max_size=64))
def test_no_other_key_makes_it(other: bytes) -> None:
    made = authenticated(full().as_json(), other)
    if other != KEY:
        with pytest.raises(MacError, match="not made with this stack's key"):
            parse(made, "x", KEY)


@pytest.mark.parametrize("mac", [None, "", "0" * 64, 1, [], {"a": 1}, "\u0130", "é" * 64])
def test_a_mac_that_is_none_is_refused(mac: Any, body: dict[str, Any]) -> None:
    with pytest.raises(MacError):
        parse({**body, "mac": mac}, "x", KEY)
    with pytest.raises(MacError, match="no MAC"):
        parse(body, "x", KEY)


def test_without_a_key_nothing_is_read(body: dict[str, Any]) -> None:
    with pytest.raises(MacError, match="no key") as refused:
        parse(authenticated(body, b""), "x", None)
    assert "railbed setup" in refused.value.hint


def test_a_mac_of_another_hash_or_use_is_refused(contract: Contract, body: dict[str, Any]) -> None:
    other = contract.model_copy(update={"domain": "elsewhere.internal"}).sealed()
    taken = authenticated(other.as_json(), KEY)["mac"]
    bare = hmac.new(KEY, contract.hash.encode(), hashlib.sha256).hexdigest()
    for mac in (taken, bare, contract.hash):
        with pytest.raises(MacError):
            parse({**body, "mac": mac}, "x", KEY)


def test_an_old_pair_of_hash_and_mac_does_not_carry_another_content(
    contract: Contract, body: dict[str, Any]
) -> None:
    made = authenticated(contract.model_copy(update={"domain": "elsewhere.internal"}).sealed().as_json(), KEY)
    with pytest.raises(ContractError, match="changed after it was made"):
        parse({**body, "hash": made["hash"], "mac": made["mac"]}, "x", KEY)


def test_no_error_prints_what_would_do(contract: Contract, body: dict[str, Any]) -> None:
    spoilt = copy.deepcopy(body)
    spoilt["domain"] = "elsewhere.internal"
    forged = sealed_again(spoilt)
    good = contracts.authenticated(forged, KEY)
    cases = (
        (forged, KEY), ({**forged, "mac": "0" * 64}, KEY), (good, OTHER), (good, None),
        ({**good, "domain": "small.test"}, KEY), (authenticated({**spoilt, "hash": body["hash"]}, KEY), KEY),
    )  # fmt: skip
    for data, key in cases:
        with pytest.raises(ContractError) as refused:
            parse(data, "x", key)
        shown = json.dumps(refused.value.as_json())
        assert good["mac"] not in shown and good["hash"] not in shown and KEY.hex() not in shown
        assert refused.value.hint and int(refused.value.exit_status) == 2
