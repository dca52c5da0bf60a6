"""docs/howto/add-a-role.md, performed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILES = 5
STRUCTURE = "tests/roles/test_structure.py"
SYNTAX = ("-i", "localhost,", "--syntax-check", "playbooks/site.yml")
ONLY_NAMED = {"ANSIBLE_INVENTORY_ENABLED": "host_list"}
"""The tree's own inventory is a contract."""


@pytest.fixture
def tree(follow: Callable[..., Any]) -> Any:
    return follow(
        "add-a-role", "infra/railbed", "roles", "playbooks", "plugins", "ansible.cfg", "pyproject.toml", STRUCTURE,
        "tools", "docs/reference",
    )  # fmt: skip


def checked(tree: Any) -> str:
    named = ("-k", "core_files or every_role_is_used or gate_by_group or mapping", STRUCTURE)
    return str(tree.pytest("--noconftest", *named).stdout)


def test_a_role_is_five_files_and_a_play_has_it(tree: Any) -> None:
    assert "**five files**" in tree.page
    assert len(tree.files) == FILES
    play = str(Path(sys.executable).with_name("ansible-playbook"))
    syntax = tree.run(play, *SYNTAX, **ONLY_NAMED)
    assert syntax.returncode == 0, syntax.stderr
    said = checked(tree)
    assert "passed" in said and "failed" not in said, said
    assert tree.run(sys.executable, "tools/role_readme.py").returncode == 0
    assert "core_files_max_mib" in (tree.root / "roles/core_files/README.md").read_text()


def test_a_role_that_no_play_has_is_refused(tree: Any) -> None:
    site = tree.root / "playbooks/site.yml"
    head, _, tail = site.read_text().partition("- name: Keep core files small")
    site.write_text(head + tail.partition("tags: [core_files]\n")[2])
    said = checked(tree)
    assert "test_every_role_is_used" in said and "1 failed" in said, said
