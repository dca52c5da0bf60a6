"""Action of railbed's own modules: each runs on its node without Ansible's library.

``debs``, ``links``, ``sysctls`` and ``units`` beside this file are links to it: Ansible takes the action by the module's name.
Why: docs/adr/0015-own-modules-start-without-ansibles-library.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.action import ActionBase

PLUGINS = Path(__file__).resolve().parents[1]
START = PLUGINS / "direct" / "start.py"
RECEIVE = 'import json, sys; sent = json.load(sys.stdin); exec(compile(sent["start"], "start", "exec"))'
"""All that stands on the command line. Arguments may hold secrets, so they go through stdin."""
HELPER = re.compile(
    r"^from ansible\.module_utils(?: import (railbed_\w+)|\.(railbed_\w+) import)", re.MULTILINE
)
SHOWN_LINES = 10


class ActionModule(ActionBase):  # type: ignore[misc]
    """Sends start, helpers, module and arguments to the node's Python in one call, and reads its answer."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """What the module answered; a node that does not answer is Ansible's to report."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        name = str(self._task.action).rpartition(".")[2]
        sent = {
            "name": name, "start": START.read_text(), **sources(name), "asked": self._task.args,
            "check": bool(self._task.check_mode), "diff": bool(self._task.diff),
        }  # fmt: skip
        encoder = get_module_encoder("legacy", Direction.CONTROLLER_TO_MODULE)
        python = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars or {})
        command = f"{self._compute_environment_string()} {python} -I -c '{RECEIVE}'".strip()
        done = self._low_level_execute_command(command, in_data=json.dumps(sent, cls=encoder).encode())
        return {**result, **answer(name, done)}


def sources(name: str) -> dict[str, Any]:
    """The module's source, and those of its helpers with what they import themselves before them."""
    module = (PLUGINS / "modules" / f"{name}.py").read_text()
    helpers: dict[str, str] = {}
    wanted = helpers_of(module)
    while wanted:
        helper = wanted.pop(0)
        helpers.pop(helper, None)
        helpers[helper] = (PLUGINS / "module_utils" / f"{helper}.py").read_text()
        wanted += helpers_of(helpers[helper])
    return {"module": module, "helpers": dict(reversed(helpers.items()))}


def helpers_of(source: str) -> list[str]:
    """Names of the helpers in plugins/module_utils that a source imports."""
    return sorted({one or other for one, other in HELPER.findall(source)})


def answer(name: str, done: dict[str, Any]) -> dict[str, Any]:
    """The last line that is a JSON object; without one the module broke, and what it said is the failure's message."""
    for line in reversed(str(done["stdout"]).splitlines()):
        if line.startswith("{"):
            try:
                said: dict[str, Any] = json.loads(line)
            except ValueError:
                break
            return said
    text = f"{done['stdout']}\n{done['stderr']}".strip().splitlines()
    return {
        "failed": True, "rc": done["rc"], "module_stderr": str(done["stderr"]),
        "msg": f"{name} ended without an answer (status {done['rc']}): {' '.join(text[-SHOWN_LINES:])}",
    }  # fmt: skip
