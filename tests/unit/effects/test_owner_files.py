"""Files of a job's owner, by the shell that a node would run: what is whole, cut short, damaged, gone."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from railbed.effects import owner_files
from railbed.errors import CommandError
from railbed.parse.swap_contract import Saved
from railbed.run import Result


class Node:
    """Runs what it is asked here, without changing the user."""

    def run(self, node: str, argv: list[str], *, stdin: str = "", **_: Any) -> Result:
        assert (node, argv[:4]) == ("h100-3", ["runuser", "-u", "ada", "--"])
        done = subprocess.run(argv[4:], input=stdin, text=True, capture_output=True, check=False)
        return Result(tuple(argv), done.returncode, done.stdout, done.stderr)


NODE: Any = Node()


def saved(path: Path, data: bytes) -> Saved:
    path.write_bytes(data)
    return Saved(str(path), len(data), hashlib.sha256(data).hexdigest())


def test_a_marker_has_the_time_of_its_change(tmp_path: Path) -> None:
    path = tmp_path / "marker.json"
    said = {
        "job": "7",
        "run": 0,
        "asked": 1,
        "step": 20,
        "files": [{"name": "c.pt", "bytes": 3}],
        "ranks": ["h100-0"],
    }
    path.write_text(json.dumps(said))
    changed_ns, found = owner_files.marker(NODE, "h100-3", "ada", str(path))
    assert changed_ns == path.stat().st_mtime_ns
    assert (found.step, found.files) == (20, (Saved(str(tmp_path / "c.pt"), 3, ""),))


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_marker_that_is_not_there_or_none_is_an_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "marker.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError):
        owner_files.marker(NODE, "h100-3", "ada", str(path))


def test_files_are_compared_by_size_and_hash(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "a b", b"weights"), saved(tmp_path / "two", b"moments")
    assert owner_files.differing(NODE, "h100-3", "ada", [one, two]) == ""
    assert owner_files.differing(NODE, "h100-3", "ada", [Saved(one.path, 7, ""), two]) == ""
    (tmp_path / "two").write_bytes(b"momentS")
    assert "SHA-256" in owner_files.differing(NODE, "h100-3", "ada", [one, two])
    assert owner_files.differing(NODE, "h100-3", "ada", [Saved(two.path, 7, "")]) == "", (
        "no hash: by size alone"
    )
    (tmp_path / "two").write_bytes(b"moment")
    assert "has 6 bytes, its marker says 7" in owner_files.differing(NODE, "h100-3", "ada", [one, two])
    (tmp_path / "two").unlink()
    assert "its marker says 7" in owner_files.differing(NODE, "h100-3", "ada", [one, two])
