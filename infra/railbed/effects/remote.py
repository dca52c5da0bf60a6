"""Reaching nodes over SSH with pinned host keys. How a node is reached is in the contract; nothing here knows a platform."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from railbed import ended
from railbed.contract import Contract, Node
from railbed.defaults import COMMAND_TIMEOUT_S, NODE_OUTPUT_BYTES, SSH_CONNECT_TIMEOUT_S
from railbed.effects import control_sockets, files, proxy_command
from railbed.effects.workspace import Workspace
from railbed.run import Result, Session, run

T = TypeVar("T")
ROOT = "root"
AS_ROOT = (
    "sudo -n -- bash -c {text} || {{ status=$?; "
    f"sudo -n -- bash -c : 2>/dev/null || {{{{ echo {{refused}} >&2; exit {ended.SSH_FAILED}; }}}}; exit $status; }}}}"
)
"""sudo ends with 1 where it refuses, as many commands do for an answer: then the command did not begin, as where SSH fails."""
REFUSED = (
    "login {login} of {node} may not become root: sudo is missing, refuses or wants a password; give it the line "
    "`{login} ALL=(ALL) NOPASSWD:ALL` in /etc/sudoers.d, and run the same command again"
)


def write_ssh_files(work: Workspace, contract: Contract) -> None:
    """Writes the stack's ssh config and known_hosts from the contract; host keys are those made with the hosts."""
    work.ssh_config.parent.mkdir(parents=True, exist_ok=True)
    files.replace(work.known_hosts, "\n".join(contract.known_hosts()) + "\n")
    blocks = [_host_block(work, node) for node in contract.nodes]
    blocks.append(
        "\n".join(
            [
                "Host *",
                f"  UserKnownHostsFile {_quoted(work.known_hosts)}",
                "  GlobalKnownHostsFile /dev/null",
                "  StrictHostKeyChecking yes",
                "  UpdateHostKeys no",
                "  BatchMode yes",
                "  IdentitiesOnly yes",
                f"  IdentityFile {_quoted(work.operator_key)}",
                f"  ConnectTimeout {SSH_CONNECT_TIMEOUT_S}",
                "  ServerAliveInterval 10",
                "  ServerAliveCountMax 3",
                "  LogLevel ERROR",
                *control_sockets.options(work),
            ]
        )
    )
    files.replace(work.ssh_config, "\n".join(blocks) + "\n")


def _host_block(work: Workspace, node: Node) -> str:
    lines = [
        f"Host {node.name}",
        f"  HostName {node.address}",
        f"  Port {node.ssh.port}",
        f"  User {node.ssh.user}",
        *proxy_command.lines(work, node),
    ]
    return "\n".join(lines)


def _quoted(path: Path) -> str:
    return f'"{path}"'


class Remote:
    """Runs commands on the nodes of one stack. Raises HostError where others could take over its connections."""

    def __init__(self, work: Workspace, contract: Contract) -> None:
        self.work = work
        self.contract = contract
        self._slowdown = {node.name: contract.slowdown(node) for node in contract.nodes if node.machine}
        self._logins = {node.name: node.ssh.user for node in contract.nodes}
        control_sockets.ensure_folder()

    def ssh_argv(self, node: str) -> list[str]:
        """The ssh command up to and including the node's name."""
        return ["ssh", "-F", str(self.work.ssh_config), node]

    def run(
        self,
        node: str,
        command: Sequence[str] | str,
        *,
        stdin: str | bytes | None = None,
        timeout_s: float = COMMAND_TIMEOUT_S,
        check: bool = True,
        keep_bytes: int = NODE_OUTPUT_BYTES,
    ) -> Result:
        """Runs ``command`` (a list is quoted, a string is given to the node's shell) as root.

        Of each stream at most ``keep_bytes`` are kept, its beginning and its end. ``timeout_s`` is that of a node whose processor
        is its own; one whose processor is emulated gets more (``Machine.slowdown``).
        """
        argv = [*self.ssh_argv(node), self.command(node, command)]
        limit_s = timeout_s * self._slowdown.get(node, 1.0)
        return run(argv, stdin=stdin, timeout_s=limit_s, check=check, keep_bytes=keep_bytes)

    def session(self, node: str, command: Sequence[str]) -> Session:
        """Starts ``command`` as root, to be asked line by line."""
        return Session([*self.ssh_argv(node), self.command(node, command)])

    def command(self, node: str, command: Sequence[str] | str) -> str:
        """What the shell of the login is given.

        Hosts of clouds let in a login with sudo. What is measured there is what root measures elsewhere, and only root may use
        Slurm's reservation of nodes that are not accepted yet.
        """
        text = command if isinstance(command, str) else shlex.join(command)
        login = self._logins.get(node, ROOT)
        if login == ROOT:
            return text
        refused = shlex.quote(REFUSED.format(login=login, node=node))
        return AS_ROOT.format(text=shlex.quote(text), refused=refused)

    def each(
        self, nodes: Iterable[str], work: Callable[[str], T], at_once: int | None = None
    ) -> dict[str, T]:
        """``work(node)`` for all nodes at once, or for so many; results by node name, in the order given."""
        names = list(nodes)
        with ThreadPoolExecutor(max_workers=max(1, at_once or len(names))) as pool:
            return dict(zip(names, pool.map(work, names), strict=True))
