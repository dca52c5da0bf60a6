"""Units of systemd for drift: systemd itself reads them, and starts the program that they name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from railbed.defaults import SETTLE_BUDGET_S
from railbed.errors import UsageError
from railbed.operate import timer

PATHS = "/opt/site tools/bin:/usr/bin"


def written(folder: Path, root: Path, program: Path) -> list[Path]:
    found = []
    for name, text in timer.units("prod", root, program, "operator", PATHS).items():
        (folder / name).write_text(text)
        found.append(folder / name)
    return found


def test_hourly_quick_and_nightly_whole(tmp_path: Path) -> None:
    units = timer.units(
        "prod", Path("/srv/clusters"), Path("/srv/clusters/.venv/bin/railbed"), "operator", PATHS
    )
    names = ("railbed-drift-prod", "railbed-drift-prod-full")
    own = "railbed-settle-prod"
    assert set(units) == {f"{name}.{kind}" for name in (*names, own) for kind in ("service", "timer")}
    start = 'ExecStart="/srv/clusters/.venv/bin/railbed" drift --stack prod --hold'
    assert f"{start} --quick\n" in units["railbed-drift-prod.service"]
    assert f"{start}\n" in units["railbed-drift-prod-full.service"]
    for name in names:
        assert (
            'ExecStartPre=-"/srv/clusters/.venv/bin/railbed" report prune --stack prod --yes\n'
            in units[f"{name}.service"]
        )
    assert "User=operator\nWorkingDirectory=/srv/clusters\n" in units["railbed-drift-prod.service"]
    assert "OnCalendar=hourly" in units["railbed-drift-prod.timer"]
    assert (
        "After=network-online.target railbed-drift-prod-full.service railbed-settle-prod.service\n"
        in units["railbed-drift-prod.service"]
    )
    assert f'Environment="PATH={PATHS}"\n' in units["railbed-drift-prod.service"]
    for name in names:
        assert "SuccessExitStatus=3\n" in units[f"{name}.service"], "users' jobs leave some claims unproven"
        assert "KillSignal=SIGINT\n" in units[f"{name}.service"], (
            "what a run holds for its time is given back"
        )


def test_nodes_come_back_by_a_unit_that_keeps_drift_from_nothing() -> None:
    """Both take the stack's lock: drift waits for the other, as long as that may take, and never the other way round."""
    root = Path("/srv/clusters")
    units = timer.units("prod", root, root / ".venv/bin/railbed", "operator", PATHS)
    drift = [
        text for name, text in units.items() if name.startswith("railbed-drift") and name.endswith("service")
    ]
    assert len(drift) == 2 and all("node settle" not in text for text in drift)
    assert all("railbed-settle-prod.service\n" in text for text in drift), "it waits"
    own = units["railbed-settle-prod.service"]
    assert 'ExecStart=-"/srv/clusters/.venv/bin/railbed" node settle --stack prod --yes\n' in own
    assert "railbed-drift" not in own.replace("railbed drift", "") and "After=network-online.target\n" in own
    assert f"TimeoutStartSec={timer.SETTLE_LONGEST}\n" in own
    assert 2 * SETTLE_BUDGET_S <= 60 * int(timer.SETTLE_LONGEST.removesuffix("min")) < 3600
    assert "OnCalendar=*-*-* *:10:00\n" in units["railbed-settle-prod.timer"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
@pytest.mark.parametrize("name", ["plain", "with a blank", "100%u"])
def test_systemd_reads_them(tmp_path: Path, name: str) -> None:
    """`verify` looks for the program: a path that is read otherwise than it was meant is not executable."""
    root = tmp_path / name
    program = root / "bin/railbed"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    said = subprocess.run(
        ["systemd-analyze", "verify", *written(tmp_path, root, program)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "railbed-drift" not in said.stderr and "railbed-settle" not in said.stderr, said.stderr
    program.unlink()
    said = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "railbed-drift-prod.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{program} is not executable" in said.stderr, said.stderr


@pytest.mark.parametrize("name", ['a"quote', "$HOME", "back\\slash", "two\nlines"])
def test_what_systemd_refuses_is_refused_before(name: str) -> None:
    with pytest.raises(UsageError, match="special characters"):
        timer.units("prod", Path("/srv") / name, Path("/srv") / name / ".venv/bin/railbed", "operator", PATHS)
