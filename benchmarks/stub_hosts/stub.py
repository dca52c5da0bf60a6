"""Connection plugin: a host that is not there. It takes each module as a node would, and answers as a converged one.

Everything of the controller's work happens: the task is templated, the module packed with its arguments and handed over
as over SSH with pipelining. Only the `ssh` client (some milliseconds a module) and what runs on the node are missing.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: stub
short_description: Answers modules without a machine
description: [For benchmarks/converge.py.]
options:
  pipelining:
    description: As for SSH.
    ini: [{section: ssh_connection, key: pipelining}]
    default: false
    type: boolean
  answers:
    description: JSON file with what programs print, and the checksums of files.
    env: [{name: ANSIBLE_STUB_ANSWERS}]
    required: true
    type: path
  record:
    description: Host whose modules are written down, one JSON line each.
    env: [{name: ANSIBLE_STUB_RECORD}]
    default: ""
    type: str
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

MODULE, ARGUMENTS = b"\nmodule_fqn=", b"\nparams="
FOLDER = re.compile(r"echo (ansible-tmp-[-.\w]+)=")


class Connection(ConnectionBase):  # type: ignore[misc]
    """One stub host."""

    transport = "stub"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Answers one module."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        if in_data is None:
            return 0, _said(cmd).encode(), b""
        name = _argument(in_data, MODULE).rsplit(".", 1)[-1]
        asked = json.loads(_argument(in_data, ARGUMENTS))["ANSIBLE_MODULE_ARGS"]
        path = Path(self.get_option("answers"))
        if self._play_context.remote_addr == self.get_option("record"):
            with path.with_suffix(".recorded").open("a") as sink:
                sink.write(json.dumps({"module": name, "asked": asked}) + "\n")
        answer = {"changed": False, **_answer(name, asked, json.loads(path.read_text()))}
        return 0, json.dumps(answer).encode(), b""

    def put_file(self, in_path: str, out_path: str) -> None:
        """Nothing is sent beside modules."""
        raise AnsibleError(f"a stub takes no files: {in_path} to {out_path}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Nothing is fetched."""
        raise AnsibleError(f"a stub has no files: {in_path} to {out_path}")

    def close(self) -> None:
        """There is nothing to close."""
        self._connected = False


def _said(command: str) -> str:
    """To the shell: Ansible's own `copy` asks where home is, and makes and removes a folder for what it may have to send."""
    made = FOLDER.search(command)
    return f"{made[1]}=/root/.ansible/tmp/{made[1]}\n" if made else "/root\n"


def _argument(wrapper: bytes, name: bytes) -> str:
    """One argument of the packed module: a Python literal on a line of its own."""
    start = wrapper.rindex(name) + len(name)
    return str(ast.literal_eval(wrapper[start : wrapper.index(b",\n", start)].decode()))


def _answer(name: str, asked: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What a node on which nothing is to be done says."""
    units = {
        unit["name"]: "active" if unit.get("state", "started") == "started" else "inactive"
        for unit in asked.get("units") or []
    }
    if name == "setup":
        return {"ansible_facts": {"ansible_virtualization_tech_guest": []}}
    if name == "tree":
        named = sorted(
            {path for kind in ("files", "directories", "links", "absent") for path in asked.get(kind) or ()}
        )
        return {"paths": [], "kept": named, "states": units, "invocation": {"module_args": {"paths": named}}}
    if name == "units":
        return {"actions": [], "states": units}
    if name in ("debs", "rpms"):
        versions = dict(
            package.partition("=")[::2] for package in [*asked.get("hold", []), *asked["packages"]]
        )
        return {"installed": {}, "versions": {key: one.replace("-*", "-1") for key, one in versions.items()}}
    if name == "links":
        return {"corrected": [], "seen": sorted(asked["links"])}
    if name == "sysctls":
        return {"set": {}, "left": []}
    if name == "command":
        words = [Path(word).name for word in asked.get("argv") or []]
        printed = next((text for program, text in known["prints"].items() if program in words), "")
        return {"rc": 0, "stdout": printed, "stderr": "", "cmd": words}
    if name == "stat":
        path = asked["path"]
        return {
            "stat": {
                "exists": True,
                "checksum": known["checksums"].get(path, ""),
                "isdir": False,
                "mode": "0644",
            }
        }
    return {}
