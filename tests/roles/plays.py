"""Whole runs of small playbooks through ansible-runner, over an `ssh` that reaches no machine but this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.configure import modules
from tests.unit.configure.conftest import small

from railbed.effects import contract_store
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:agm/dxWNdtRLR6KEZ8/fdv2uW8yd/NgPYrePKhgNq+c.
Please contact your system administrator.
Add correct host key in /w/ssh/known_hosts to get rid of this message.
Offending ED25519 key in /w/ssh/known_hosts:1
Host key for 127.0.0.1 has changed and you have requested strict checking.
Host key verification failed.
"""
"""What OpenSSH 9.2 (Debian 12) printed with railbed's own ssh config; the path shortened."""
UNKNOWN = """\
No ED25519 host key is known for 127.0.0.1 and you have requested strict checking.
Host key verification failed.
"""
CLOSED = "Connection to 127.0.0.1 closed by remote host.\n"
REFUSED = "ssh: connect to host 127.0.0.1 port 22: Connection refused\n"
SAYS = {"changed": CHANGED, "unknown": UNKNOWN, "closed": CLOSED, "refused": REFUSED}
SSH = """
import os, subprocess, sys
host, command = sys.argv[-2:]
said = os.environ["RUNNER_FAKE_SSH"]
with open(said + "/calls", "a") as log: log.write(host + "\\n")
if os.path.exists(said + "/" + host):
    state = open(said + "/" + host).read()
    if state == "closed":  # the module runs to its end, and its answer is lost
        subprocess.run(["/bin/sh", "-c", command], stdin=sys.stdin, capture_output=True)
    sys.stderr.write(open(said + "/says-" + state).read()); sys.exit(255)
os.execv("/bin/sh", ["/bin/sh", "-c", command])
"""


class Plays:
    """A checkout with a contract, whose nodes are all this machine."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.contract = small()
        root = folder / "checkout"
        (root / "infra").mkdir(parents=True)
        (root / "Pulumi.yaml").write_text("name: railbed\n")
        (root / "playbooks").mkdir()
        (root / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
        (root / "infra/railbed").symlink_to(ROOT / "infra/railbed")
        for name in ("plugins", "roles"):
            (root / name).symlink_to(ROOT / name)
        self.work = Workspace(root, self.contract.stack)
        self.work.dir.mkdir(parents=True)
        contract_store.write(self.work, self.contract)
        ensure_stack_secrets(self.work)
        self.made = folder / "made"
        """What plays make is below this."""
        self.made.mkdir()
        self.ssh = folder / "ssh"
        self.ssh.mkdir()
        modules.program(self.ssh, "ssh", SSH)
        for name, text in SAYS.items():
            (self.ssh / f"says-{name}").write_text(text)
        patch.setenv("PATH", f"{self.ssh}:{os.environ['PATH']}")
        patch.setenv("RUNNER_FAKE_SSH", str(self.ssh))

    def node_is(self, name: str, state: str) -> None:
        """From now on `ssh NAME` ends as it does in that state."""
        (self.ssh / name).write_text(state)

    def calls(self, name: str) -> int:
        """How often the node was connected to."""
        return (self.ssh / "calls").read_text().splitlines().count(name)

    def playbook(self, tasks: str) -> None:
        """The only play of site.yml, on all nodes; then its end, as every run has it."""
        head = f"- hosts: all\n  gather_facts: false\n  vars: {{made: {self.made}}}\n  tasks:\n"
        end = (ROOT / "playbooks/end.yml").read_text().split("---", 1)[1]
        (self.work.root / "playbooks/site.yml").write_text(head + tasks + end)


@pytest.fixture
def plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plays:
    return Plays(tmp_path, monkeypatch)
