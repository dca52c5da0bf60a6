"""Two clones with a stack of the same name, two operators, and a machine that lacks something."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from railbed.effects import lock

from .conftest import ROOT, Cli
from .test_crash import finish

pytestmark = pytest.mark.lab


def clone(target: Path) -> Path:
    """A second checkout: tracked and new files, with this one's Python environment."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(Path(sys.prefix))
    return target


def test_two_clones_with_a_stack_of_the_same_name_do_not_meet(
    stack: Callable[..., Cli], tmp_path: Path
) -> None:
    one = stack("test-twin", nodes=1, spares=0)
    other = stack("test-twin", nodes=1, spares=0, root=clone(tmp_path / "clone"))
    for cli in (one, other):
        cli("setup")
        finish(cli, "make")
    assert one.work.lab_id != other.work.lab_id
    one.ssh("h100-0", "touch /srv/of-one")
    assert other.ssh("h100-0", "ls /srv | grep -v railbed || :").strip() == ""
    finish(other, "destroy")
    assert one.ssh("h100-0", "ls /srv | grep -v railbed || :").strip() == "of-one"


def test_a_second_operator_is_refused_before_anything_is_made(stack: Callable[..., Cli]) -> None:
    cli = stack("test-busy", nodes=1, spares=0)
    with lock.acquire(cli.work.dir / "lock", "stack test-busy"):
        refused = cli("up", status=2)
    assert "BUSY" in refused.stderr
    assert not cli.work.lab_dir.exists()


def test_a_bad_spec_is_refused_before_anything_is_made(stack: Callable[..., Cli]) -> None:
    cli = stack("test-bad", nodes=1, spares=0)
    text = cli.work.stack_file.read_text()
    cli.work.stack_file.write_text(text.replace("nodes: 1", "nodez: 1"))
    refused = cli("up", status=2)
    assert "nodez" in refused.stderr
    assert "nodes" in refused.stderr, "the nearest key is named"
    assert not cli.work.lab_dir.exists()


def test_without_root_the_lab_is_refused_with_the_reason(stack: Callable[..., Cli]) -> None:
    cli = stack("test-plain", nodes=1, spares=0)
    code = (
        "import os; os.geteuid = lambda: 65534\n"
        "import sys; sys.argv = ['railbed', 'up', '--stack', 'test-plain']\n"
        "from railbed.cli.main import main; main()"
    )
    refused = subprocess.run(
        [sys.executable, "-c", code], cwd=cli.work.root, text=True, capture_output=True, check=False
    )
    assert refused.returncode == 2
    assert "root" in refused.stderr
    assert "Traceback" not in refused.stderr
