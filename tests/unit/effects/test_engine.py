"""Which engine is taken, and whose locks may be removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from railbed.effects.engine import binaries
from railbed.effects.engine.session import Session, _reason
from railbed.effects.workspace import Workspace


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("v3.259.0\n", True), ("v3.272.1", True), ("v3.258.9", False), ("v4.0.0", False), ("v2.9.0", False),
        ("command not found", False), ("", False),
    ],
)  # fmt: skip
def test_only_engines_that_the_sdk_works_with_are_taken(text: str, fits: bool) -> None:
    assert binaries.fits(binaries.parse_version(text)) is fits


def test_an_official_installation_without_its_language_host_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "pulumi"
    engine.write_text("#!/bin/sh\necho v3.259.0\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert binaries.official() is None
    host = tmp_path / binaries.LANGUAGE_HOST
    host.write_text("#!/bin/sh\n")
    host.chmod(0o755)
    assert binaries.official() == tmp_path


def test_only_locks_of_dead_processes_of_this_machine_and_stack_are_dropped(tmp_path: Path) -> None:
    session = Session.__new__(Session)
    session.work = Workspace(tmp_path, "lab")
    locks = tmp_path / ".railbed/state/.pulumi/locks/organization/railbed"
    here = os.uname().nodename
    dead = 2**22 + 1  # above the kernel's largest process number
    cases = {
        "lab/dead.json": {"pid": dead, "hostname": here},
        "lab/alive.json": {"pid": os.getpid(), "hostname": here},
        "lab/elsewhere.json": {"pid": dead, "hostname": "another-machine"},
        "other/dead.json": {"pid": dead, "hostname": here},
    }
    for name, body in cases.items():
        (locks / name).parent.mkdir(parents=True, exist_ok=True)
        (locks / name).write_text(json.dumps(body))
    (locks / "lab/torn.json").write_text("{")
    dropped = session.drop_stale_locks()
    assert len(dropped) == 1
    assert str(dead) in dropped[0]
    left = {str(path.relative_to(locks)) for path in locks.rglob("*.json")}
    assert left == {*cases, "lab/torn.json"} - {"lab/dead.json"}


def test_the_reason_is_not_drowned_by_the_stack_s_outputs() -> None:
    outputs = "\n".join(f'              - component{i} : "1.0"' for i in range(60))
    text = (
        "Updating (prod):\n    railbed:metal:Machine h100-1 error: MACHINE_IDENTITY: another serial\n"
        f"Diagnostics:\n  railbed:metal:Machine (h100-1):\n    error: MACHINE_IDENTITY: another serial\n      found    'X'\n"
        f"Outputs:\n  ~ contract: {{\n{outputs}\n    }}\nResources:\n    1 errored\n"
    )
    reason = _reason(text)
    assert "MACHINE_IDENTITY: another serial" in reason
    assert "found    'X'" in reason
    assert "component59" not in reason
    assert "1 errored" in reason
