"""What railbed keeps of what a node prints: ssh is a stand-in, the process is real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.configure import modules
from tests.unit.configure.conftest import small

from railbed import ended
from railbed.defaults import COMMAND_TIMEOUT_S, NODE_OUTPUT_BYTES
from railbed.effects import remote
from railbed.effects.lab.machines import accelerator
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.platforms.lab.platform import slowed
from railbed.run import Result

TALKATIVE = """
import sys
for _ in range(10): sys.stdout.write("x" * 1_000_000)
"""


def test_a_talkative_node_fills_nobodys_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.program(tmp_path, "ssh", TALKATIVE)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    said = Remote(Workspace(tmp_path, "lab"), small()).run("h100-0", "talk", check=False)
    assert said.ok and len(said.stdout) < 2 * NODE_OUTPUT_BYTES


@pytest.mark.parametrize(
    ("by", "times"), [(accelerator.TCG, accelerator.TCG.slowdown), (accelerator.KVM_HERE, 1)]
)
def test_a_node_whose_processor_is_emulated_gets_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: accelerator.Accelerator, times: float
) -> None:
    limits = {}

    def ran(argv: list[str], *, timeout_s: float, **_: object) -> Result:
        limits[argv[3]] = timeout_s
        return Result(argv, 0, "", "")

    monkeypatch.setattr(remote, "run", ran)
    over = Remote(Workspace(tmp_path, "lab"), slowed(small(), by))
    for name in ("h100-0", "ctl0"):
        over.run(name, "true")
    assert limits == {"h100-0": times * COMMAND_TIMEOUT_S, "ctl0": COMMAND_TIMEOUT_S}


def test_a_contract_of_real_processors_keeps_its_hash() -> None:
    made = small()
    assert slowed(made, accelerator.KVM_HERE).digest() == made.digest()
    assert slowed(made, accelerator.TCG).digest() != made.digest()


SSH = "import os, sys; os.execvp('bash', ['bash', '-c', sys.argv[-1]])"
SUDO = "import os, sys; assert sys.argv[1:3] == ['-n', '--']; os.environ['AS'] = 'root'; os.execvp(sys.argv[3], sys.argv[3:])"
REFUSES = "raise SystemExit('sudo: a password is required')"
"""As sudo 1.9.13 says it, with status 1; sudo-rs has other words."""


def reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sudo: str) -> Remote:
    """h100-0 lets in `railbed`, the others root; ssh and sudo are stand-ins, the shell is real."""
    modules.program(tmp_path, "ssh", SSH)
    modules.program(tmp_path, "sudo", sudo)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    contract = small()
    nodes = [
        node.model_copy(
            update={
                "ssh": node.ssh.model_copy(update={"user": "railbed" if node.name == "h100-0" else "root"})
            }
        )
        for node in contract.nodes
    ]
    return Remote(Workspace(tmp_path, "lab"), contract.model_copy(update={"nodes": nodes}))


def test_a_login_that_is_not_root_becomes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As hosts of clouds have it: the reservation of nodes that are not accepted is for root alone."""
    over = reached(tmp_path, monkeypatch, SUDO)
    ask = ["sh", "-c", 'echo "$AS $1"', "_", "it's a word"]
    shown = {name: over.run(name, ask).stdout.strip() for name in ("h100-0", "ctl0")}
    assert shown == {"h100-0": "root it's a word", "ctl0": "it's a word"}


@pytest.mark.parametrize("status", [0, 1, 3, 127, ended.SSH_FAILED])
def test_what_root_is_given_and_how_it_ends_is_as_without_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    over = reached(tmp_path, monkeypatch, SUDO)
    script = f"cat; echo said >&2; exit {status}"
    for command in (f"# it's two lines\n{script}", ["sh", "-c", script]):
        said = [over.run(name, command, stdin="given\n", check=False) for name in ("h100-0", "ctl0")]
        assert {(one.returncode, one.stdout, one.stderr) for one in said} == {(status, "given\n", "said\n")}


def test_a_session_of_a_login_that_is_not_root_ends_with_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = reached(tmp_path, monkeypatch, SUDO).session(
        "h100-0", ["sh", "-c", 'read -r word; echo "$AS $word"; cat; exit 3']
    )
    assert asked.send(b"hello\n") and asked.receive(10.0) == "root hello\n"
    assert asked.close().returncode == 3


def test_where_sudo_refuses_nothing_began_and_a_person_reads_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its 1 is no answer: `test -e` has it too."""
    over = reached(tmp_path, monkeypatch, REFUSES)
    words = (
        "login railbed of h100-0 may not become root: sudo is missing, refuses or wants a password; give it the line "
        "`railbed ALL=(ALL) NOPASSWD:ALL` in /etc/sudoers.d, and run the same command again"
    )
    said = over.run("h100-0", ["test", "-e", "/nowhere"], check=False)
    assert said.returncode == ended.SSH_FAILED and "sudo: a password is required" in said.stderr
    assert ended.why(said, "test", "h100-0") == words
    session = over.session("h100-0", ["cat"]).close()
    assert ended.meaning("the probe", session.returncode, session.tail(), "h100-0") == words
    with pytest.raises(CommandError, match="login railbed of h100-0 may not become root"):
        over.run("h100-0", "true")
    assert over.run("ctl0", "true").ok
