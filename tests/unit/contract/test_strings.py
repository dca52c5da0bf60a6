"""No string of a contract can end a line, obey a terminal or become another word than it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.contract.conftest import full

from railbed import contract as contracts
from railbed.contract import Contract, validated
from railbed.errors import ContractError

BAD = ["\n", "\r", "\nHost *", "\x00", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\u200b"]
FREE = ("statement", "reason", "reasons", "derivation", "gpu_model", "unit", "roles")
"""Words for people, which become no command; all others are closed."""
SHELL = [
    "$(touch x)",
    "`touch x`",
    "'; touch x; '",
    '" x',
    "a\\b",
    "*",
    "|x",
    "<x",
    "&x",
    "x;y",
    "%(x)s",
    "{{ x }}",
]
LITERAL = (
    "schema",
    "kind",
    "role",
    "service",
    "scheduler",
    "transport",
    "basis",
    "hash",
    "spec_hash",
)
MAPPINGS = ("versions", "components", "packages", "package_versions", "files", "nccl_environment", "admins")
"""Fields that are maps from names to strings."""
Path = tuple[str | int, ...]


def leaves(data: Any, path: Path = ()) -> Iterator[Path]:
    """Where each string of the document is."""
    if isinstance(data, str):
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))


def changed(body: dict[str, Any], path: Path, to: Any) -> dict[str, Any]:
    made = copy.deepcopy(body)
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to(place[path[-1]])
    return made


def named(path: Path) -> str:
    return ".".join(map(str, path))


def shape(path: Path) -> Path:
    """Equal for strings that one field's pattern governs."""
    last = "*" if path[-2:-1] and path[-2] in MAPPINGS else path[-1]
    return tuple("*" if isinstance(key, int) else key for key in (*path[:-1], last))


ALL = list({shape(path): path for path in leaves(full().as_json())}.values())


def test_the_contract_of_these_tests_has_every_string() -> None:
    schema = json.dumps(Contract.model_json_schema())
    assert schema.count('"type": "string"') > 40
    assert {path[-1] for path in ALL} >= {"proxy", "namespace", "host_key", "bmc", "options", "signed_by"} - {
        "proxy"
    }


def test_every_string_has_a_pattern_and_a_limit() -> None:
    def bare(part: Any, path: str) -> Iterator[str]:
        if isinstance(part, list):
            for index, one in enumerate(part):
                yield from bare(one, f"{path}.{index}")
        if not isinstance(part, dict):
            return
        if part.get("type") == "string" and not part.keys() & {"pattern", "enum", "const"}:
            yield path
        keyed = part.get("additionalProperties")
        if isinstance(keyed, dict) and "propertyNames" not in part and "patternProperties" not in part:
            yield f"{path} (its keys)"
        for key, value in part.items():
            if key not in ("pattern", "description", "propertyNames"):
                yield from bare(value, f"{path}.{key}")

    assert list(bare(Contract.model_json_schema(), "")) == []


@pytest.mark.parametrize("path", ALL, ids=named)
def test_no_control_character_is_taken(path: Path, body: dict[str, Any]) -> None:
    spoilt = [lambda text, bad=bad: text + bad for bad in BAD]
    spoilt += [lambda text: "\n" + text, lambda text: f"{text}\nx"]
    for to in spoilt:
        with pytest.raises(ContractError):
            validated(changed(body, path, to), "x")


@pytest.mark.parametrize("path", [one for one in ALL if not {*one} & {*FREE, *LITERAL}], ids=named)
def test_nothing_for_a_shell_is_taken(path: Path, body: dict[str, Any]) -> None:
    a_key = path[-2:-1] in (("host_keys",), ("admins",)) or path[-1] == "host_key"

    def spoilt(text: str, bad: str) -> str:
        """At its end; of a key before its comment, which is free and no word of anything (test_proxy_command.py)."""
        return " ".join(text.split()[:2]) + bad if a_key else text + bad

    for bad in SHELL:
        with pytest.raises(ContractError):
            validated(changed(body, path, lambda text, bad=bad: spoilt(text, bad)), "x")
        with pytest.raises(ContractError):
            validated(changed(body, path, lambda text, bad=bad: bad), "x")


@pytest.mark.parametrize(
    "path", [one for one in ALL if {*one} & {"user", "namespace", "host", "instance", "region", "project", "zone", "node"}],
    ids=named,
)  # fmt: skip
def test_no_value_is_an_option(path: Path, body: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        validated(changed(body, path, lambda _: "-oProxyCommand=x"), "x")


@pytest.mark.parametrize(
    "place", ["admins", "versions", "packages", "package_versions", "files", "nccl_environment"]
)
def test_no_key_of_a_mapping_is_free(place: str, body: dict[str, Any]) -> None:
    where = {"admins": body, "nccl_environment": body["machines"][0]}.get(place, body["software"])
    where[place] = {"x\ny": next(iter(where[place].values()))}
    with pytest.raises(ContractError):
        validated(body, "x")


@pytest.mark.parametrize(
    "proxy",
    [
        "", "touch x", "ip netns exec n nc -F %h %p", [], 1, True, {}, {"kind": "command", "command": "touch x"},
        {"kind": "netns"}, {"kind": "netns", "namespace": "n", "command": "x"}, {"kind": "node", "node": ""},
        {"kind": "jump", "host": "h", "user": "u", "host_key": "x"}, {"kind": "jump", "host": "h", "user": "u", "port": 0},
    ],
)  # fmt: skip
def test_an_unknown_way_is_refused(proxy: Any, body: dict[str, Any]) -> None:
    body["nodes"][0]["ssh"]["proxy"] = proxy
    with pytest.raises(ContractError, match="does not hold"):
        validated(body, "x")


def test_a_node_takes_two_kilobytes_at_most(contract: contracts.Contract) -> None:
    for node in contract.nodes:
        assert len(json.dumps(node.model_dump(mode="json"))) <= 2048
