"""One role with its real modules, where /etc, /home and /usr/sbin are copies that nobody else sees."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.unit.configure import modules

ROOT = Path(__file__).resolve().parents[2]
APART = """
cd {folder}
mkdir -p etc home sbin real
cp -a /etc/. etc/; mkdir -p etc/sudoers.d
mount --bind /usr/sbin real; ln -s {folder}/real/* sbin/
cp visudo sbin/visudo
mount --bind sbin /usr/sbin; mount --bind etc /etc; mount --bind home /home
for each in /run /var/mail /var/log; do mount -t tmpfs tmpfs $each; done
{steps}
"""
VISUDO = """
import os, sys
refuse = os.path.exists(os.environ["STATE"] + "/refuse") and "railbed ALL" in open(sys.argv[-1]).read()
sys.exit("no" if refuse else 0)
"""
"""visudo, which for once refuses what is left of cloud-init's file."""
SYSTEMCTL = """
import json, os, sys
verb, *rest = sys.argv[1:]
state = os.environ["STATE"] + "/units.json"
units = json.load(open(state))
names = [word for word in rest if not word.startswith("-")]
for name in names if verb == "show" else []:
    load, active, at_boot = units.get(name, ["not-found", "inactive", ""])
    print(f"LoadState={load}\\nActiveState={active}\\nUnitFileState={at_boot}\\nInvocationID=1\\n"
          "ActiveEnterTimestamp=@4000000000\\nNeedDaemonReload=no\\n")
if verb != "show":
    with open(os.environ["STATE"] + "/done", "a") as done: print(verb, *names, file=done)
for name in names:
    if verb == "stop": units[name][1] = "inactive"
    if verb == "start": units[name][1] = "active"
    if verb == "disable": units[name][2] = "disabled"
    if verb == "enable": units[name][2] = "enabled"
json.dump(units, open(state, "w"))
"""
KEY = "ssh-ed25519 AAAA"


@dataclass
class Site:
    """Where the steps of a test run, one after the other."""

    folder: Path
    tried: str = "users"
    """The role."""

    def __post_init__(self) -> None:
        modules.program(self.folder, "visudo", VISUDO)
        (self.folder / "bin").mkdir()
        modules.program(self.folder / "bin", "systemctl", SYSTEMCTL)
        modules.program(self.folder / "bin", "journalctl", "")
        (self.folder / "play.yml").write_text(
            yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": [self.tried]}])
        )
        self.units({"ssh.service": ["loaded", "active", "enabled"]})

    def units(self, known: dict[str, list[str]]) -> None:
        (self.folder / "units.json").write_text(json.dumps(known))

    def role(self, name: str, *people: str, **more: Any) -> str:
        """A step: the role for these people; what became of it is in files of that name."""
        told = {"users_admins": {who: f"{KEY} {who}" for who in people}, "ansible_user": "railbed", **more}
        return self.step(name, told)

    def step(self, name: str, told: dict[str, Any]) -> str:
        """A step: the role with these variables."""
        (self.folder / f"{name}.vars").write_text(json.dumps(told))
        said = f"ansible-playbook -i node, -c local -e @{name}.vars play.yml > {name}.out 2>&1 || touch {name}.failed"
        return f"{said}; {{ {self.look()} }} > {name}.seen 2>/dev/null || true"

    def look(self) -> str:
        return "getent -s files passwd; echo --; getent -s files shadow; echo --; cat /etc/sudoers.d/*;"

    def run(self, *steps: str) -> None:
        done = subprocess.run(
            ["unshare", "--mount", "--uts", "sh", "-euc", APART.format(folder=self.folder, steps="\n".join(steps))],
            text=True, capture_output=True, check=False, timeout=300,
            env={
                **os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "STATE": str(self.folder),
                "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_LIBRARY": str(ROOT / "plugins/modules"),
                "ANSIBLE_MODULE_UTILS": str(ROOT / "plugins/module_utils"),
                "ANSIBLE_LOOKUP_PLUGINS": str(ROOT / "plugins/lookup"), "ANSIBLE_STDOUT_CALLBACK": "default",
                "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3", "ANSIBLE_LOCALHOST_WARNING": "false",
                "HOME": str(self.folder), "ANSIBLE_NOCOLOR": "1",
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def out(self, name: str) -> str:
        return (self.folder / f"{name}.out").read_text()

    def failed(self, name: str) -> bool:
        return (self.folder / f"{name}.failed").exists()

    def changed(self, name: str) -> bool:
        return "changed=0" not in self.out(name)

    def account(self, name: str, who: str) -> tuple[list[str], list[str]]:
        """Its lines of passwd and shadow after the step."""
        passwd, shadow, _ = (self.folder / f"{name}.seen").read_text().split("--\n")
        found = [
            [line.split(":") for line in text.splitlines() if line.startswith(f"{who}:")]
            for text in (passwd, shadow)
        ]
        return found[0][0], found[1][0]

    def sudoers(self, name: str) -> set[str]:
        """Who may be root after the step."""
        text = (self.folder / f"{name}.seen").read_text().split("--\n")[2]
        return {line.split()[0] for line in text.splitlines() if line and not line.startswith("#")}
