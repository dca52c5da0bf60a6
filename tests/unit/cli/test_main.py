"""What the operating system refuses is told as every other error: no traceback, one line on what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RAILBED = Path(sys.executable).with_name("railbed")
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def run(*words: str, stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([RAILBED, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@needs_full
@pytest.mark.parametrize("words", [("fabric", "plan", "--nodes", "4", "--json"), ("catalog", "list")])
def test_a_full_disk_under_stdout_is_an_error_on_stderr(words: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = run(*words, stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("SYSTEM: the operating system refused: No space left on device")
    assert "make room" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_may_not_be_read_is_an_error_also_as_json(tmp_path: Path) -> None:
    done = run("spec", "validate", "--spec", str(tmp_path), "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode in (1, 2)
    assert error["code"]
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_is_no_failure() -> None:
    with subprocess.Popen(
        [RAILBED, "catalog", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 0
