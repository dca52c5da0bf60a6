"""Memory, as /proc/meminfo of Linux 6.8 has it (proc_meminfo(5))."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.refutes("node.memory")
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("MemTotal:       2113389384 kB\nMemFree: 1 kB\n", "pass"),
        ("MemTotal:       2040109466 kB\n", "pass"),
        ("MemTotal:       2040109000 kB\n", "fail"),
        ("MemTotal:       1979171656 kB\n", "fail"),
        ("", "unproven"),
        ("\x00\xff", "unproven"),
    ],
)
def test_memory(world: Any, monkeypatch: pytest.MonkeyPatch, text: str, verdict: str) -> None:
    """2 TiB, of which 95 % are 1,992,294 MiB. One lost module of 64 GiB hides among the 5 %, two do not."""
    world.want |= {"memory_mib": 2_097_152, "memory_floor_mib": 1_992_294}
    world.write("/proc/meminfo", text)
    found = world.check("node.memory", monkeypatch)
    assert found.verdict == verdict
    assert (found.parts == ("memory",)) == (verdict == "fail")


def test_memory_that_nobody_published_is_unproven(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want |= {"memory_mib": 0, "memory_floor_mib": 0}
    assert world.check("node.memory", monkeypatch).verdict == "unproven"
