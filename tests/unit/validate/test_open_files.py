"""The limit of open files, against the number of nodes."""

from __future__ import annotations

import resource

import pytest

from railbed.errors import Exit, HostError
from railbed.validate import open_files


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits in force, last of the list."""
    known = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: known[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: known.append(both))
    return known


@pytest.mark.parametrize("nodes", [0, 1, 192])
def test_what_fits_changes_nothing(limits: list[tuple[int, int]], nodes: int) -> None:
    open_files.require(nodes)
    assert limits == [(1024, 4096)]


def test_the_soft_limit_is_raised_as_far_as_it_takes(limits: list[tuple[int, int]]) -> None:
    open_files.require(330)
    assert limits[-1] == (1576, 4096)


def test_no_limit_at_all_is_enough(monkeypatch: pytest.MonkeyPatch, limits: list[tuple[int, int]]) -> None:
    limits.append((1024, resource.RLIM_INFINITY))
    open_files.require(100_000)
    assert limits[-1] == (400_256, resource.RLIM_INFINITY)
    open_files.require(100_000)
    assert len(limits) == 3


def test_a_hard_limit_below_it_is_told_before_anything_is_measured(limits: list[tuple[int, int]]) -> None:
    with pytest.raises(HostError) as refused:
        open_files.require(1000)
    error = refused.value
    assert (error.code, error.found, error.allowed) == ("OPEN_FILES", 4096, "4256 or more")
    assert error.exit_status is not Exit.PASS and limits == [(1024, 4096)]
