"""Lookup ``rendered``: the words of Ansible's own template lookup, letter by letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.roles.local import play

TEMPLATE = r"""
{% set inner = 'one' %}
{% for name in names %}
{{ name }} C:\path\{{ loop.index }}
{% endfor %}
{% include 'part.j2' %}
{{ given | default('nothing given') }} {{ later }}

"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A role ``probe`` with two templates."""
    templates = tmp_path / "project/roles/probe/templates"
    templates.mkdir(parents=True)
    (templates / "whole.j2").write_text(TEMPLATE)
    (templates / "part.j2").write_text("of {{ inner }} and {{ names | length }}")
    return tmp_path


def rendered(site: Path, expression: str) -> Any:
    """What a task of the role gets for the expression; None where the run fails."""
    tasks = site / "project/roles/probe/tasks"
    tasks.mkdir(exist_ok=True)
    (tasks / "main.yml").write_text(
        f'- ansible.builtin.set_fact:\n    probe_said: "{{{{ {expression} }}}}"\n'
    )
    found = play(
        site, [{"hosts": "all", "gather_facts": False, "roles": ["probe"]}],
        settings={"ANSIBLE_ROLES_PATH": str(site / "project/roles")},
        extravars={"names": ["a", "b"], "later": "{{ names | last }}"},
    )  # fmt: skip
    said = [event["event_data"]["res"] for event in found.events if event["event"] == "runner_on_ok"]
    return said[-1]["ansible_facts"]["probe_said"] if said else None


@pytest.mark.parametrize(
    "more", ["", ", template_vars={'given': 'this'}", ", template_vars={'names': ['c']}"]
)
def test_it_gives_what_ansibles_own_gives(site: Path, more: str) -> None:
    ours = rendered(site, f"lookup('rendered', 'whole.j2'{more})")
    assert ours == rendered(site, f"lookup('ansible.builtin.template', 'whole.j2'{more})")
    assert "C:\\path\\1" in ours and ("of one and 1" if "names" in more else "of one and 2") in ours


def test_a_template_that_is_not_there_and_a_variable_that_is_not_fail(site: Path) -> None:
    assert rendered(site, "lookup('rendered', 'gone.j2')") is None
    (site / "project/roles/probe/templates/whole.j2").write_text("{{ unknown_to_all }}")
    assert rendered(site, "lookup('rendered', 'whole.j2')") is None
