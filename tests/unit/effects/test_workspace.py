"""Labs of two checkouts, or of two stacks, never share a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.lab import names
from railbed.effects.workspace import Workspace, find_root, known, stacks
from railbed.errors import UsageError

NAME = st.from_regex(r"[a-z]([a-z0-9-]{0,19}[a-z0-9])?", fullmatch=True)


@given(NAME, NAME)
def test_other_checkout_or_other_stack_has_another_id(one: str, other: str) -> None:
    here, there = Workspace(Path("/a"), one), Workspace(Path("/b"), one)
    assert here.lab_id != there.lab_id
    if one != other:
        assert here.lab_id != Workspace(Path("/a"), other).lab_id


@given(st.integers(1, 254), st.integers(0, 15))
def test_interface_names_fit_the_kernel(octet: int, rail: int) -> None:
    lab = Workspace(Path("/a"), "a-stack-with-a-very-long-name").lab_id
    assert len(names.rail_port(octet, rail)) <= 15
    assert len(names.management_port(lab, octet)) <= 15


def test_the_checkout_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: railbed\n")
    assert find_root(tmp_path / "infra") == tmp_path


def test_outside_a_checkout_the_error_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as wrong:
        find_root(tmp_path)
    assert wrong.value.code == "NO_CHECKOUT"
    assert str(tmp_path) in wrong.value.path


def test_an_unknown_stack_is_named_with_those_there_are(tmp_path: Path) -> None:
    assert known(tmp_path, "lab").stack == "lab"  # before the first one, the next error says how to make it
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "Pulumi.prod.yaml").touch()
    for made in (
        ".railbed/lab/contract.json",
        ".railbed/gone/archive/journal.jsonl",
        ".railbed/state/x.json",
    ):
        (tmp_path / made).parent.mkdir(parents=True)
        (tmp_path / made).touch()
    assert stacks(tmp_path) == ["gone", "lab", "prod"]
    assert known(tmp_path, "gone").stack == "gone"
    with pytest.raises(UsageError) as unknown:
        known(tmp_path, "prdo")
    assert (unknown.value.code, unknown.value.allowed) == ("STACK_UNKNOWN", ["gone", "lab", "prod"])
    assert "--stack prod" in unknown.value.hint
