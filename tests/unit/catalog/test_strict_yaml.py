"""The strict reader: what it takes, and one problem for each thing that it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from railbed.catalog import strict_yaml
from railbed.catalog.strict_yaml import YamlProblem

NUMBER_OF_1_2 = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
"""PyYAML writes YAML 1.1, in which 0E0 is text and needs no quotes."""


def text(longest: int) -> st.SearchStrategy[str]:
    return st.text(max_size=longest).filter(lambda word: not NUMBER_OF_1_2.fullmatch(word))


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | text(20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text(8), inner, max_size=4),
    max_leaves=20,
)


def test_a_number_of_yaml_1_2_is_no_key() -> None:
    with pytest.raises(YamlProblem):
        strict_yaml.parse("0E0: 1")


@given(plain)
def test_reads_what_a_yaml_writer_wrote(data: Any) -> None:
    assert strict_yaml.parse(yaml.safe_dump(data)) == data


@given(st.text(max_size=200))
def test_any_text_is_data_or_one_problem(text: str) -> None:
    try:
        data = strict_yaml.parse(text)
    except YamlProblem as problem:
        assert problem.message and problem.allowed and problem.hint
    else:
        assert data is None or isinstance(data, str | int | float | bool | list | dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("true", True),
        ("2027-03-01", "2027-03-01"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("0.8", 0.8),
        ("-1", -1),
        ("010", 10),
        ("~", None),
        ('"2026.11"', "2026.11"),
        ("2026.11", 2026.11),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    read = strict_yaml.parse(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: &x 1", "anchors", 1),
        ("a: 1\nb: *x", "anchors", 2),
        ("a: !!str 1", "tags", 1),
        ("a: !thing 1", "tags", 1),
        ("a: 1\nb: 2\na: 3", "twice", 3),
        ("1: a", "not text", 1),
        ("true: a", "not text", 1),
        ("[a]: b", "not text", 1),
        ("a: 1\n---\na: 2", "several", 0),
        ("[" * 33, "nested", 1),
        ("a: " + "9" * 41, "digits", 1),
        ("a: [1", "not YAML", 1),
        ("a: \x01", "not YAML", 0),
    ],
)
def test_refuses(text: str, words: str, line: int) -> None:
    with pytest.raises(YamlProblem) as refused:
        strict_yaml.parse(text)
    assert words in refused.value.message
    assert refused.value.line == line
    assert refused.value.allowed and refused.value.hint


def test_depth_below_the_limit_is_taken() -> None:
    assert strict_yaml.parse("[" * 32 + "]" * 32) is not None


def test_a_bomb_costs_nothing() -> None:
    bomb = Path(__file__).parents[1] / "data" / "spec" / "bomb.yaml"
    with pytest.raises(YamlProblem, match="anchors"):
        strict_yaml.read(bomb)


def test_refuses_files_that_are_none(tmp_path: Path) -> None:
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\x7fELF\xff\xfe")
    large.write_text("a" * (strict_yaml.MAX_BYTES + 1))
    for path, words in [
        (tmp_path / "absent", "does not exist"),
        (tmp_path, "cannot be read"),
        (binary, "not text"),
        (large, "more than"),
    ]:
        with pytest.raises(YamlProblem, match=words):
            strict_yaml.read(path)
