"""The generated pages of the roles are current, and what they are made from is read as it is meant."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("role_readme", ROOT / "tools/role_readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["role_readme"] = module
    spec.loader.exec_module(module)
    return module


PAGES = _load()
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "meta").is_dir())


def test_pages_are_current() -> None:
    """Renew them with `.venv/bin/python tools/role_readme.py`."""
    assert [str(path.relative_to(ROOT)) for path in PAGES.outdated()] == []


@pytest.mark.parametrize("name", ROLES)
def test_a_page_tells_every_variable_and_where_the_role_runs(name: str) -> None:
    text = PAGES.page(PAGES.Role(name))
    for entry in PAGES.Role(name).specs.values():
        assert [option for option in entry["options"] if f"| `{option}` |" not in text] == []
    assert "| Runs on | `" in text


def test_packages_are_read_out_of_expressions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    role = tmp_path / "roles/one"
    for folder in ("meta", "vars", "tasks"):
        (role / folder).mkdir(parents=True)
    (role / "meta/argument_specs.yml").write_text(
        "argument_specs: {main: {short_description: One, options: {}}}\n"
    )
    (role / "vars/main.yml").write_text(
        "one_packages: \"{{ ['a'] + (one_more_packages if one_b else []) + [one_package] }}\"\n"
        "one_more_packages: [b, c]\n"
        "one_files: {/etc/one.conf: \"x\"}\n"
        "one_rules: [{name: n, reason: because | of that}]\n"
    )  # fmt: skip
    (role / "tasks/configure.yml").write_text("- tree: {units: [{name: one.service}], absent: [/etc/two]}\n")
    monkeypatch.setattr(PAGES, "ROLES", tmp_path / "roles")
    made = PAGES.Role("one")
    assert made.packages == ["a", "b", "c"]
    assert made.files == ["/etc/one.conf"] and made.units == ["one.service"]
    assert "| n | because \\| of that |" in PAGES.page(made)


def test_an_old_page_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old.md").write_text("what it said before\n")
    monkeypatch.setattr(PAGES, "pages", lambda: {tmp_path / "old.md": "now", tmp_path / "none.md": "new"})
    assert PAGES.outdated() == [tmp_path / "old.md", tmp_path / "none.md"]
