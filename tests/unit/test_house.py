"""What holds for the whole tree: who may ask whether hardware is simulated, and whose names are used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path
    for pattern in ("infra/**/*.py", "infra/**/*.j2", "plugins/**/*.py", "roles/**/*", "playbooks/**/*")
    for path in ROOT.glob(pattern)
    if path.suffix in (".py", ".yml", ".j2")
]
OF_THE_LAB = ("infra/railbed/effects/lab/", "infra/railbed/platforms/lab/")
MARKS = {
    "infra/railbed/certificate/identity.py", "infra/railbed/cli/certificate_commands.py",
    "infra/railbed/cli/plan_commands.py", "infra/railbed/cli/tune_commands.py", "infra/railbed/cli/verdicts.py",
    "infra/railbed/parse/nccl_tests.py",
    "infra/railbed/validate/html_report.py", "infra/railbed/validate/report.html.j2",
    "infra/railbed/operate/cluster.html.j2", "infra/railbed/operate/weekly.html.j2", "playbooks/group_vars/all.yml",
}  # fmt: skip
"""They only mark what they show."""
BEFORE_ANYTHING_IS_MADE = {
    "infra/railbed/plan/compose.py": "a lab costs nothing",
    "infra/railbed/cli/image_commands.py": "a lab's image is baked here and needs no recipe",
    "infra/railbed/cli/fabric_options.py": "a lab's rates are in no catalogue of switches",
}
BRANCH = re.compile(r"\bif\b[^\n]*simulated\b|simulated (and|or|else)\b|\bnot [\w.]*simulated\b")
PRIVATE = re.compile(
    r"^\s*(?:from [\w.]*\._\w|import [\w.]*\._\w|from (?!railbed\b|__future__\b)[\w.]+ import \(?_[a-z])",
    re.M,
)


def branches(text: str) -> bool:
    return bool(BRANCH.search(text))


@pytest.mark.parametrize(
    "text", ["if contract.simulated:", "x = 1 if simulated else 2", "{% if a.simulated %}", "not a.simulated"]
)
def test_a_branch_is_seen(text: str) -> None:
    assert branches(text)


def test_nothing_branches_on_simulated_but_the_lab_and_marks() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in CODE
        if branches(path.read_text()) and not str(path.relative_to(ROOT)).startswith(OF_THE_LAB)
    }
    assert found == MARKS | set(BEFORE_ANYTHING_IS_MADE)


@pytest.mark.parametrize(
    "text", ["from pydantic._internal import x", "import a._b", "from yaml import _load"]
)
def test_a_private_import_is_seen(text: str) -> None:
    assert PRIVATE.search(text)


def test_no_private_name_of_another_library_is_imported() -> None:
    """Members are ruff's to see (SLF001)."""
    assert [str(path) for path in CODE if path.suffix == ".py" and PRIVATE.search(path.read_text())] == []
