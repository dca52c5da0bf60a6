"""Plays with the checkout's roles and modules, on hosts that are this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ansible_runner

ROOT = Path(__file__).resolve().parents[2]
HERE = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}


def play(
    folder: Path, plays: list[dict[str, Any]], hosts: Iterable[str] = ("localhost",),
    settings: dict[str, str] | None = None, **more: Any,
) -> Any:  # fmt: skip
    """Runs plays; ``settings`` are more of Ansible's variables, ``more`` of ansible-runner's arguments. Gives its runner."""
    return ansible_runner.run(
        private_data_dir=str(folder), playbook=plays, quiet=True,
        inventory={"all": {"hosts": dict.fromkeys(hosts, HERE)}},
        envvars={
            "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_LIBRARY": str(ROOT / "plugins/modules"),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "plugins/module_utils"),
            "ANSIBLE_LOOKUP_PLUGINS": str(ROOT / "plugins/lookup"), "PATH": os.environ["PATH"], **(settings or {}),
        },
        **more,
    )  # fmt: skip


def role(name: str, tasks: str = "configure") -> list[dict[str, Any]]:
    """One play: these tasks of the role."""
    task = {"name": name, "ansible.builtin.include_role": {"name": name, "tasks_from": tasks}}
    return [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
