"""What sshd of a stub host runs instead of a command: takes a module, and answers as a converged node would.

usage (sshd's ForceCommand): answer.py ANSWERS

ANSWERS is a JSON file: what programs print, checksums of files, and an address whose modules are written down beside it.
It imports little, since it starts for every call.
"""

from __future__ import annotations

import json
import os
import sys

MODULE, ARGUMENTS = "\nmodule_fqn=", "\nparams="


def main() -> None:
    """Answers one call."""
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if "python" not in command:
        print(said(command))
        return
    packed = sys.stdin.read()
    name = literal(packed, MODULE).rsplit(".", 1)[-1]
    asked = json.loads(literal(packed, ARGUMENTS))["ANSIBLE_MODULE_ARGS"]
    with open(sys.argv[1]) as source:
        known = json.load(source)
    if known["record"] in os.environ["SSH_CONNECTION"].split():
        with open(f"{sys.argv[1]}.recorded", "a") as sink:
            sink.write(json.dumps({"module": name, "asked": asked}) + "\n")
    print(json.dumps({"changed": False, **answer(name, asked, known)}))


def said(command: str) -> str:
    """To the shell: Ansible's own `copy` asks where home is, and makes and removes a folder for what it may have to send."""
    made = command.partition("echo ansible-tmp-")[2].partition("=")[0]
    return f"ansible-tmp-{made}=/root/.ansible/tmp/ansible-tmp-{made}" if made else "/root"


def literal(packed: str, name: str) -> str:
    """One argument of the packed module: a Python literal on a line of its own."""
    start = packed.rindex(name) + len(name)
    text: str = eval(packed[start : packed.index(",\n", start)], {"__builtins__": {}})
    return text


def answer(name: str, asked: dict, known: dict) -> dict:  # type: ignore[type-arg]  # typing would be imported for each call
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
    if name == "debs":
        versions = dict(
            package.partition("=")[::2] for package in [*asked.get("hold", []), *asked["packages"]]
        )
        return {"installed": {}, "versions": {key: one.replace("-*", "-1") for key, one in versions.items()}}
    if name == "links":
        return {"corrected": [], "seen": sorted(asked["links"])}
    if name == "sysctls":
        return {"set": {}, "left": []}
    if name == "command":
        words = [word.rsplit("/", 1)[-1] for word in asked.get("argv") or []]
        printed = next((text for program, text in known["prints"].items() if program in words), "")
        return {"rc": 0, "stdout": printed, "stderr": "", "cmd": words}
    if name == "stat":
        checksum = known["checksums"].get(asked["path"], "")
        return {"stat": {"exists": True, "checksum": checksum, "isdir": False, "mode": "0644"}}
    return {}


if __name__ == "__main__":
    main()
