"""Stands in for a module of railbed in the tests of the roles: answers with what it was asked, and does nothing.

An action plugin, so that no process is started on the node.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """The arguments are not checked: that is what the tests of the real modules are for."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Answers in the form of every module at once."""
        asked = self._task.args
        named = sorted({*asked.get("files", {}), *asked.get("directories", {}), *asked.get("absent", [])})
        return {
            "changed": False, "asked": asked, "paths": [], "kept": named, "states": {}, "versions": {}, "actions": [],
            "seen": sorted(asked.get("links", {})),
        }  # fmt: skip
