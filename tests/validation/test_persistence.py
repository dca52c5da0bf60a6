"""Persistence mode, in the words of nvidia-smi's manual page (``Enabled``, ``Disabled``); built, not recorded."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.refutes("node.persistence")
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("0, Enabled\n1, Enabled\n", "pass"),
        ("0, Enabled\n1, Disabled\n", "fail"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", "unproven"),
        ("", "unproven"),
    ],
)
def test_persistence(world: Any, monkeypatch: pytest.MonkeyPatch, text: str, verdict: str) -> None:
    world.command("nvidia-smi", text)
    found = world.check("node.persistence", monkeypatch)
    assert found.verdict == verdict
    assert (found.parts == ("persistence",)) == (verdict == "fail")
