"""No text of a spec moves a cursor, ends a line or turns one around, and no mapping takes a key that nobody reads."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from railbed import spec
from railbed.errors import SpecError

WHERE = "Pulumi.x.yaml:railbed:cluster"
ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
ODD = {
    "newline": "\n", "return": "\r", "tab": "\t", "NUL": "\0", "ESC": "\x1b", "DEL": "\x7f", "C1": "\x9b", "bidi": "\u202e",
    "isolate": "\u2066", "zero width": "\u200b", "line separator": "\u2028", "byte order": "\ufeff", "surrogate": "\ud800",
    "private use": "\ue000",
}  # fmt: skip
MAPPINGS = ("tags", "firmware", "host_keys", "admins", "flavors", "selectors", "resources", "tenants")
"""Mappings whose keys are the operator's own."""
METAL = {"firmware": {"bios": "2.1.8"}, "ca_file": "/etc/site/ca.pem", "switch": "nvidia/qm9700"}
ACCESS = {"admins": {"ada": "ssh-ed25519 " + "A" * 68 + " ada@example.org"}, "ssh_from": ["192.0.2.0/24"]}


def example(file: Path) -> dict[str, Any]:
    """The spec in an example, with what examples leave out."""
    data: dict[str, Any] = yaml.safe_load(file.read_text())["config"]["railbed:cluster"]
    data = json.loads(json.dumps(data, default=str))
    data.setdefault("access", {}).update(ACCESS)
    if data["platform"]["kind"] == "metal":
        data["platform"].update(METAL)
    return data


SPECS = {file.stem: example(file) for file in EXAMPLES}


def places(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where text stands."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*at, key))
    elif isinstance(data, list):
        for index, value in enumerate(data[:2]):
            yield from places(value, (*at, index))
    elif isinstance(data, str):
        yield at


def mappings(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(data, dict):
        yield at
        for key, value in data.items():
            yield from mappings(value, (*at, key))
    elif isinstance(data, list) and data:
        yield from mappings(data[0], (*at, 0))


def get(data: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        data = data[key]
    return data


TEXTS = [(name, at) for name, data in SPECS.items() for at in places(data)]
OBJECTS = [(name, at) for name, data in SPECS.items() for at in mappings(data)]


@pytest.mark.parametrize("name", SPECS)
def test_the_examples_are_taken_so_that_only_the_change_is_refused(name: str) -> None:
    spec.from_config(SPECS[name], WHERE)


@given(st.sampled_from(TEXTS), st.sampled_from(sorted(ODD)), st.sampled_from(["front", "middle", "end"]))
def test_no_text_takes_a_character_that_is_obeyed(
    text: tuple[str, tuple[Any, ...]], odd: str, where: str
) -> None:
    data = copy.deepcopy(SPECS[text[0]])
    holder, key = get(data, text[1][:-1]), text[1][-1]
    value = holder[key]
    cut = {"front": 0, "middle": len(value) // 2, "end": len(value)}[where]
    holder[key] = value[:cut] + ODD[odd] + value[cut:]
    with pytest.raises(SpecError) as refused:
        spec.from_config(data, WHERE)
    assert "the character U+" in refused.value.message
    assert ODD[odd] not in f"{refused.value.message}{refused.value.path}{refused.value.hint}"


@given(st.sampled_from(OBJECTS), st.sampled_from(sorted(ODD)))
def test_no_key_takes_one_either(place: tuple[str, tuple[Any, ...]], odd: str) -> None:
    data = copy.deepcopy(SPECS[place[0]])
    get(data, place[1])[f"a{ODD[odd]}b"] = "x"
    with pytest.raises(SpecError) as refused:
        spec.from_config(data, WHERE)
    assert "the character U+" in refused.value.message
    assert ODD[odd] not in f"{refused.value.message}{refused.value.path}"


@given(
    st.sampled_from(
        [(name, at) for name, at in OBJECTS if not at or not (at[-1] in MAPPINGS or "selectors" in at)]
    )
)
def test_unknown_keys_are_refused_everywhere(place: tuple[str, tuple[Any, ...]]) -> None:
    data = copy.deepcopy(SPECS[place[0]])
    get(data, place[1])["nobody_reads_this"] = "x"
    with pytest.raises(SpecError, match="unknown key 'nobody_reads_this'"):
        spec.from_config(data, WHERE)


def test_an_armoured_key_has_lines_and_nothing_else() -> None:
    data = copy.deepcopy(SPECS["lab-cluster"])
    data["software"]["mirror"] = {
        "url": "https://mirror.example.org/", "key": "-----BEGIN\nlines\r\n", "fingerprint": "0" * 40
    }  # fmt: skip
    for addition, reason in (("", "key has a form"), ("\x1b[2J", "the character U\\+001B")):
        data["software"]["mirror"]["key"] += addition
        with pytest.raises(SpecError, match=reason):
            spec.from_config(data, WHERE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("switch", "nvidia/qm9701"),
        ("switch", "../switches/nvidia/qm9700"),
        ("gateway", "10.80.0"),
        ("gateway", "١٠.80.0.1"),
        ("oversubscription", "１"),
        ("firmware", {"": "1"}),
        ("firmware", {"bios": ""}),
    ],
)
def test_values_of_a_metal_platform_that_mean_nothing(key: str, value: Any) -> None:
    data = copy.deepcopy(SPECS["metal-metal"])
    data["platform"][key] = value
    with pytest.raises(SpecError) as refused:
        spec.from_config(data, WHERE)
    assert f".platform.{key}" in refused.value.path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("serial", " "),
        ("serial", "x "),
        ("address", "10.80.0.300"),
        ("address", "10.80.0.11/24"),
        ("bmc", "http://10.81.0.1"),
    ],
)
def test_values_of_a_machine_that_mean_nothing(key: str, value: str) -> None:
    data = copy.deepcopy(SPECS["metal-metal"])
    data["platform"]["machines"][0][key] = value
    with pytest.raises(SpecError) as refused:
        spec.from_config(data, WHERE)
    assert refused.value.path.endswith(f".platform.machines[0].{key}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "http://10.80.255.253/ubuntu.iso"),
        ("url", "https://user:word@10.80.255.253/ubuntu.iso"),
        ("url", "file:///ubuntu.iso"),
        ("sha256", ""),
        ("sha256", None),
    ],
)
def test_an_installer_comes_over_https_with_its_digest(key: str, value: str | None) -> None:
    data = copy.deepcopy(SPECS["metal-metal"])
    data["platform"]["installer"][key] = value
    if value is None:
        del data["platform"]["installer"][key]
    with pytest.raises(SpecError):
        spec.from_config(data, WHERE)
