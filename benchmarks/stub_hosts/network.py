"""A network namespace in which every address of the benchmark's nodes is this machine, with one sshd for all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from railbed.effects.workspace import Workspace

NODES = "10.80.0.0/15"
"""Every address of it is local."""
ANSWER = Path(__file__).with_name("answer.py")
"""Answers Ansible's modules; its argument is a file of answers."""
SSHD = "/usr/sbin/sshd"
INSIDE = "RAILBED_BENCHMARK_NAMESPACE"
START_S = 10.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CONFIG = """\
Port 22
ListenAddress 0.0.0.0
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 2000
# bash takes itself for a shell within a shell then, and does not read what this machine's root has in .bashrc.
SetEnv SHLVL=1
ForceCommand {command}
"""


def enter() -> None:
    """Runs this program again in a namespace of its own, unless it is in one. Needs root, unshare, ip and sshd."""
    if os.environ.get(INSIDE) == "yes":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "route", "add", "local", NODES, "dev", "lo"], check=True)
        return
    if os.geteuid() != 0 or not Path(SSHD).exists():
        sys.exit(f"needs root for a network namespace, and {SSHD} (package openssh-server)")
    os.environ[INSIDE] = "yes"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def host_key(folder: Path) -> str:
    """Makes the key that all nodes have, and returns its public half."""
    path = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


@contextmanager
def sshd(folder: Path, work: Workspace, command: str) -> Iterator[None]:
    """All nodes, as one sshd that lets this stack's operator in and runs ``command`` in place of any that it is asked for."""
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "authorized").write_text(Path(f"{work.operator_key}.pub").read_text())
    config = folder / "sshd_config"
    config.write_text(CONFIG.format(folder=folder, command=command))
    daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=(folder / "sshd.log").open("w"))
    try:
        _wait_for_port()
        yield
    finally:
        for pid, _ in masters():
            os.kill(pid, signal.SIGTERM)
        daemon.terminate()
        daemon.wait()


def _wait_for_port() -> None:
    end = time.monotonic() + START_S
    while not subprocess.run(["ss", "-Hltn", "sport = :22"], check=True, capture_output=True).stdout:
        if time.monotonic() > end:
            sys.exit("sshd did not start")
        time.sleep(0.05)


def masters() -> list[tuple[int, float]]:
    """The ssh clients of this namespace that keep connections open: process id and processor seconds so far.

    They belong to the controller, and to nobody whose end this process waits for.
    """
    here = Path("/proc/self/ns/net").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text() == "ssh\n" and (folder / "ns/net").readlink() == here:
                # Fields 14 and 15, counted behind the name, which may have blanks.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                found.append((int(folder.name), (int(fields[11]) + int(fields[12])) / TICKS_PER_S))
        except OSError:
            continue
    return found
