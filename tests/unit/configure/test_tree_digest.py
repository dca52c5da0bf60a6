"""Filter tree_digest: equal for equal files, and for nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

FILE = Path(__file__).resolve().parents[3] / "plugins/filter/tree_digest.py"
SPEC = importlib.util.spec_from_file_location("tree_digest", FILE)
assert SPEC and SPEC.loader
FILTER = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(FILTER)
digest = FILTER.FilterModule().filters()["tree_digest"]


def make(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(digest(str(folder)))


def test_names_contents_and_their_borders_count(tmp_path: Path) -> None:
    first = make(tmp_path / "a", {"tasks/main.yml": "x", "files/bin/y": "z"})
    assert first == make(tmp_path / "b", {"files/bin/y": "z", "tasks/main.yml": "x"})
    others = [
        {"tasks/main.yml": "x", "files/bin/y": "Z"},
        {"tasks/main.yml": "x", "files/y": "z"},
        {"tasks/main.yml": "xz"},
    ]
    found = {make(tmp_path / f"c{place}", files) for place, files in enumerate(others)}
    assert len(found | {first}) == 4


def test_what_python_leaves_behind_does_not_count(tmp_path: Path) -> None:
    first = make(tmp_path, {"files/a.py": "x"})
    assert first == make(tmp_path, {"files/__pycache__/a.cpython-311.pyc": "y"})


def test_an_empty_folder_is_an_error_and_no_number(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError):
        digest(str(tmp_path))
