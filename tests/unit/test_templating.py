"""Templates that are kept come out as those that Ansible compiles anew, in this process and in the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CASES = [
    "{{ name }}",
    "{{ 'a\\tb' }}",
    "{{ names | map('upper') | join(',') }} and {{ none }}",
    "{% for one in names %}{{ one }}{{ ',' if not loop.last }}{% endfor %}",
    "line\n{{ name }}\n",
    "{{ other }} {{ other }}",
    "{{ missing }}",
    "{{ 1 + }}",
    "{{ lookup('ansible.builtin.vars', '{{ which }}') }}",
    "{{ name",
]
PROGRAM = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
init_plugin_loader([])
folder, cases = json.loads(sys.argv[1])
if folder:
    from pathlib import Path
    from railbed import templating
    templating.begin(Path(folder))
trusted = trust_as_template
variables = {"name": "rail", "names": ["a", "b"], "none": None, "which": "name", "other": trusted("{{ name }}-{{ names[0] }}")}
templar = Templar(DataLoader(), variables=variables)

def tried(work):
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

said = []
for _ in range(2):
    for case in cases:
        said.append(tried(lambda: templar.template(trusted(case))))
        said.append(tried(lambda: templar.template(trusted(case), escape_backslashes=False)))
        said.append(tried(lambda: templar.copy_with_new_env(variable_start_string="[[").template(trusted(case))))
        said.append(tried(lambda: templar.evaluate_conditional(trusted(case.strip("{} ") + " == 'rail'"))))
    variables["name"] = "leaf"
print(json.dumps(said))
"""


def said(folder: str, cases: list[str] = CASES) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([folder, cases])], capture_output=True, text=True, check=True,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, timeout=60,
    )  # fmt: skip
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def plain() -> list[Any]:
    return said("")


def test_what_is_kept_comes_out_as_what_is_compiled(plain: list[Any], tmp_path: Path) -> None:
    assert "rail" in plain and "leaf" in plain and any("Syntax error" in str(one) for one in plain)
    assert said(str(tmp_path / "kept")) == plain


def test_the_next_process_takes_it_from_the_folder(plain: list[Any], tmp_path: Path) -> None:
    said(str(tmp_path))
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert files
    assert said(str(tmp_path)) == plain
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


def test_a_broken_file_is_compiled_anew(plain: list[Any], tmp_path: Path) -> None:
    said(str(tmp_path))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert said(str(tmp_path)) == plain


def test_a_folder_that_takes_nothing_does_no_harm(plain: list[Any], tmp_path: Path) -> None:
    # A file system without room: no file can be made in it, by root neither.
    full = Path("/proc/self/fdinfo")
    assert said(str(full)) == plain
    assert said(str(tmp_path), CASES[:1])
    (tmp_path / "file").touch()
    assert said(str(tmp_path / "file")) == plain
    assert said(str(tmp_path / "file" / "below")) == plain


def test_the_folder_is_this_users_alone(tmp_path: Path) -> None:
    said(str(tmp_path / "kept"), CASES[:1])
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
