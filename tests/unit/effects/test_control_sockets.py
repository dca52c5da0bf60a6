"""Shared SSH connections lie where nobody else can put a socket. OpenSSH itself connects; a small server is the other user."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.configure.conftest import small
from tests.unit.effects import mux

from railbed.contract import Contract
from railbed.defaults import UNIX_SOCKET_PATH_BYTES
from railbed.effects import control_sockets
from railbed.effects.remote import Remote, write_ssh_files
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.errors import HostError

NOBODY = 65_534
as_another = pytest.mark.skipif(os.geteuid() != 0, reason="not run: acts as another user")


@pytest.fixture
def contract() -> Contract:
    """Its nodes are this machine at a port where nothing listens."""
    made = small()
    nodes = [
        node.model_copy(
            update={"address": "127.0.0.1", "ssh": node.ssh.model_copy(update={"port": 1, "user": "root"})}
        )
        for node in made.nodes
    ]
    return made.model_copy(update={"nodes": nodes}).sealed()


@pytest.fixture
def work(tmp_path: Path, contract: Contract) -> Workspace:
    return Workspace(tmp_path, contract.stack)


def socket_of(work: Workspace, node: str) -> Path:
    """Where ssh looks for the shared connection: anybody can compute it."""
    shown = subprocess.run(
        ["ssh", "-G", "-F", work.ssh_config, node], capture_output=True, text=True, check=True, timeout=30
    )
    words = dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)
    return Path(words.get("controlpath", "none"))


@contextmanager
def planted(path: Path, user: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The user's server at that path, and what came of binding it."""
    argv = [sys.executable, mux.__file__, str(path), "forged answer of the node\n", str(user)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip(), server
        finally:
            server.kill()
            path.unlink(missing_ok=True)


@as_another
def test_another_user_cannot_answer_for_a_node(work: Workspace, contract: Contract) -> None:
    write_ssh_files(work, contract)
    with planted(socket_of(work, "ctl0"), NOBODY) as (bound, _):
        done = Remote(work, contract).run("ctl0", "hostname", stdin=b"SECRET MUNGE KEY BYTES", check=False)
    assert "forged" not in done.stdout
    assert done.returncode == 255 and bound == "PermissionError"


def refused(folder: Path, work: Workspace, contract: Contract) -> HostError:
    """The error that both the writer of the ssh config and every user of it end with."""
    for act in (write_ssh_files, Remote):
        with pytest.raises(HostError) as wrong:
            act(work, contract)
        assert wrong.value.code == "SSH_SOCKETS" and str(folder) in wrong.value.path
        assert wrong.value.found and wrong.value.allowed and wrong.value.hint
    return wrong.value


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the operator's session; its path is short, as those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="rb-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@as_another
def test_a_planted_socket_in_an_open_folder_is_refused(
    session: Path, work: Workspace, contract: Contract
) -> None:
    write_ssh_files(work, contract)
    at, folder = socket_of(work, "ctl0"), session / "railbed"
    assert at.parent == folder and folder.stat().st_mode & 0o777 == 0o700
    session.chmod(0o711)
    folder.chmod(0o777)
    with planted(at, NOBODY) as (bound, _):
        assert bound == "bound"
        session.chmod(0o700)
        refused(folder, work, contract)


@as_another
def test_a_folder_of_another_user_is_refused(session: Path, work: Workspace, contract: Contract) -> None:
    (session / "railbed").mkdir(mode=0o700)
    os.chown(session / "railbed", NOBODY, NOBODY)
    assert f"user {NOBODY}" in str(refused(session / "railbed", work, contract).found)


def test_a_link_and_a_file_are_refused(session: Path, work: Workspace, contract: Contract) -> None:
    folder, elsewhere = session / "railbed", session / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    refused(folder, work, contract)
    folder.unlink()
    folder.touch(mode=0o600)
    refused(folder, work, contract)


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o750, 0o777])
def test_a_session_folder_that_others_enter_is_not_used(
    session: Path, work: Workspace, contract: Contract, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = session / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    session.chmod(mode)
    if mode & 0o022:
        assert "others" in refused(session, work, contract).message
        return
    write_ssh_files(work, contract)
    assert socket_of(work, "ctl0").parent == home / ".ssh/railbed"
    assert (home / ".ssh").stat().st_mode & 0o777 == 0o700 == (home / ".ssh/railbed").stat().st_mode & 0o777


def longest_name(session: Path) -> str:
    """Of a home in that folder, below which sockets just fit."""
    room = UNIX_SOCKET_PATH_BYTES - control_sockets.NAME_BYTES
    return "h" * (room - len(f"{session}//.ssh/railbed"))


def test_a_path_that_is_too_long_or_odd_is_refused(
    session: Path, work: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    home = session / longest_name(session)
    for folder, good in (
        (home, True),
        (Path(f"{home}h"), False),
        (session / "a b", False),
        (session / "%h", False),
    ):
        folder.mkdir(mode=0o700)
        monkeypatch.setenv("HOME", str(folder))
        if good:
            write_ssh_files(work, contract)
        else:
            assert "XDG_RUNTIME_DIR" in refused(folder, work, contract).hint


def test_without_its_folder_ssh_shares_no_connection(
    session: Path, work: Workspace, contract: Contract
) -> None:
    write_ssh_files(work, contract)
    assert socket_of(work, "ctl0").name.startswith(f"{work.lab_id}-")
    (session / "railbed").rmdir()
    assert socket_of(work, "ctl0") == Path("none"), "ssh connects anew each time, and does not fail"
    (session / "railbed").symlink_to(session)
    assert socket_of(work, "ctl0") == Path("none")


def test_close_ends_the_stack_s_masters_and_no_others(
    session: Path, work: Workspace, contract: Contract
) -> None:
    write_ssh_files(work, contract)
    other = Workspace(work.root, "other")
    own, foreign = socket_of(work, "ctl0"), session / f"railbed/{other.lab_id}-0"
    dead = own.with_name(f"{work.lab_id}-dead")
    dead.touch()
    with planted(own, os.geteuid()) as (_, master), planted(foreign, os.geteuid()) as (_, running):
        control_sockets.close(work)
        assert master.wait(timeout=10) == 0 and running.poll() is None
        assert not own.exists() and not dead.exists() and foreign.exists()
    control_sockets.close(other)


@pytest.fixture
def sshd(tmp_path: Path, contract: Contract) -> Iterator[Contract]:
    """A real sshd on the loopback in the place of every node."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("not run: this machine has no sshd")
    key = tmp_path / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    work = Workspace(tmp_path, contract.stack)
    ensure_stack_secrets(work)
    keys = tmp_path / "authorized_keys"
    keys.write_text(Path(f"{work.operator_key}.pub").read_text())
    options = ("StrictModes=no", "UsePAM=no", f"AuthorizedKeysFile={keys}", "PidFile=none", f"HostKey={key}")
    argv = [program, "-D", "-e", "-f", "/dev/null", "-p", str(port), *(f"-o{one}" for one in options)]
    ready = subprocess.run([*argv, "-t"], capture_output=True, text=True, check=False, timeout=30)
    if ready.returncode:
        pytest.skip(f"not run: {ready.stderr.strip()}")
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as server:
        ssh = {"port": port, "host_keys": [Path(f"{key}.pub").read_text().strip()], "user": getpass.getuser()}
        nodes = [node.model_copy(update={"ssh": node.ssh.model_copy(update=ssh)}) for node in contract.nodes]
        for _ in range(50):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield contract.model_copy(update={"nodes": nodes}).sealed()
        server.terminate()


def test_connections_are_shared_and_none_is_left(
    session: Path, work: Workspace, sshd: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = session / longest_name(session)
    home.mkdir(mode=0o700)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("HOME", str(home))
    write_ssh_files(work, sshd)
    remote = Remote(work, sshd)
    ports = {remote.run("ctl0", "echo $SSH_CLIENT").stdout for _ in range(2)}
    assert len(ports) == 1, "the second command went over the first one's connection"
    (master,) = (home / ".ssh/railbed").iterdir()
    assert master == socket_of(work, "ctl0") and master.stat().st_mode & 0o777 == 0o600
    control_sockets.close(work)
    assert not list((home / ".ssh/railbed").iterdir())
    assert {remote.run("ctl0", "echo $SSH_CLIENT").stdout} != ports
    control_sockets.close(work)
