"""One operator at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from railbed.effects import lock
from railbed.errors import Busy, Exit


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        lock.acquire(path, "stack lab (upgrade)"), pytest.raises(Busy) as refused, lock.acquire(path, "stack lab (converge)")
    ):  # fmt: skip
        pass
    assert refused.value.found == f"{os.getpid()}: stack lab (upgrade)"
    assert refused.value.message.startswith("stack lab (converge) is in use")
    assert refused.value.exit_status == Exit.USAGE
    assert "nothing was changed" in refused.value.hint


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with lock.acquire(tmp_path / "lock", "stack lab"):
            assert (tmp_path / "lock").read_text().startswith(f"{os.getpid()}:")
