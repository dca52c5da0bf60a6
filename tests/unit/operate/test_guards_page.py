"""The page of guards has every guard, and each names code and tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from railbed.operate.guards import Guard

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| ([a-z -]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def rows(page: str) -> dict[str, tuple[list[str], list[str]]]:
    """Guard → files, tests as ``path::name``."""
    section = page.partition("## Guards\n")[2].partition("\n## ")[0]
    found = {}
    for row in ROW.finditer(section):
        tests = re.findall(r"`([^`]+)`: `([^`]+)`", row[3])
        found[row[1]] = (re.findall(r"`([^`]+)`", row[2]), [f"{path}::{name}" for path, name in tests])
    found.pop("guard", None)
    return found


def missing(named: str) -> str:
    """What of ``path::name`` does not exist."""
    path, _, name = named.partition("::")
    if not (ROOT / path).is_file():
        return path
    tree = ast.parse((ROOT / path).read_text())
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return named if name and name not in defined else ""


def test_every_guard_has_code_and_a_test() -> None:
    found = rows((ROOT / "docs/reference/safety.md").read_text())
    assert list(found) == [str(guard) for guard in Guard] and len(found) == 14
    for guard, (files, tests) in found.items():
        assert files and tests, guard
        assert [lost for one in [*files, *tests] if (lost := missing(one))] == [], guard
        assert all("::" in one for one in tests), guard


def test_what_does_not_exist_is_found() -> None:
    here = "tests/unit/operate/test_guards_page.py"
    assert missing(f"{here}::test_every_guard_has_code_and_a_test") == ""
    assert missing(f"{here}::test_nothing") == f"{here}::test_nothing"
    assert missing("tests/unit/operate/nowhere.py::test_nothing") == "tests/unit/operate/nowhere.py"
    assert rows("## Guards\n| a | b | `c` | `d`: `e` |\n## Next\n| x | b | `c` | `d`: `e` |\n") == {
        "a": (["c"], ["d::e"])
    }
