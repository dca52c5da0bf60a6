"""Where OpenSSH's shared connections have their sockets: a folder that only the operator can enter.

ssh connects to whatever listens on a ``ControlPath`` and never asks whose it is, and anybody can compute the path. So
ssh_config(5) wants it in a folder that others cannot write to.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from railbed.defaults import SSH_CLOSE_TIMEOUT_S, SSH_PERSIST_S, UNIX_SOCKET_PATH_BYTES
from railbed.effects.workspace import Workspace
from railbed.errors import HostError
from railbed.run import run

NAME_BYTES = len("/123456-") + 40 + 17
"""After the folder: the stack's id, ``%C`` (a SHA-1 in hexadecimal), and the suffix under which ssh first binds a socket."""
PLAIN = re.compile(r"/[A-Za-z0-9/._@+-]+")
"""Paths that mean themselves in ssh_config(5) and to every shell."""
HINT = "set XDG_RUNTIME_DIR to a short path of your own with mode 0700"


def options(work: Workspace) -> list[str]:
    """Lines for the end of the stack's ssh config. Makes the folder; raises HostError as `ensure_folder` does.

    Where the folder is gone, or is another user's, ssh shares no connection: a folder of a session ends with that.
    """
    folder = ensure_folder()
    return [
        f'Match exec "test -O {folder} -a ! -L {folder}"',
        "  ControlMaster auto",
        f"  ControlPath {folder}/{work.lab_id}-%C",
        f"  ControlPersist {SSH_PERSIST_S}",
    ]


def ensure_folder() -> Path:
    """The folder for sockets, made where it is not there.

    Raises HostError where its path is too long for a socket, or where others can put a socket into it.
    """
    folder = _place()
    if not PLAIN.fullmatch(str(folder)) or len(os.fsencode(folder)) + NAME_BYTES > UNIX_SOCKET_PATH_BYTES:
        raise HostError(
            "the folder for SSH sockets does not do", code="SSH_SOCKETS", path=str(folder), found=f"{len(str(folder))} bytes",
            allowed=f"at most {UNIX_SOCKET_PATH_BYTES - NAME_BYTES} bytes of letters, digits and /._@+-", hint=HINT,
        )  # fmt: skip
    _require_safe_parents(folder)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _require_private(folder)
    return folder


def close(work: Workspace) -> None:
    """Ends the stack's shared connections; a node that is booted anew must not meet an old one."""
    for folder in (_session_folder(), _own_folder()):
        if folder is None or not _is_private(folder):
            continue
        for socket in folder.glob(f"{work.lab_id}-*"):
            argv = ["ssh", "-F", "/dev/null", "-S", str(socket), "-O", "exit", "any"]
            run(argv, check=False, timeout_s=SSH_CLOSE_TIMEOUT_S)
            socket.unlink(missing_ok=True)


def _place() -> Path:
    return _session_folder() or _own_folder()


def _session_folder() -> Path | None:
    """Below ``$XDG_RUNTIME_DIR``, where that is the operator's; after `su` or `sudo` it often is another user's."""
    given = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return given / "railbed" if given.is_absolute() and _is_private(given) else None


def _own_folder() -> Path:
    """Beside ssh's own files."""
    return Path.home() / ".ssh" / "railbed"


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _require_private(folder: Path) -> None:
    if not _is_private(folder):
        found = folder.lstat()
        raise HostError(
            "others could take over SSH connections: the folder for their sockets is not the operator's alone",
            code="SSH_SOCKETS", path=str(folder), found=f"{stat.filemode(found.st_mode)} of user {found.st_uid}",
            allowed=f"drwx------ of user {os.geteuid()}", hint="look at what is in it, remove it, and run the same command again",
        )  # fmt: skip


def _require_safe_parents(folder: Path) -> None:
    """As sshd(8) asks of an authorized_keys file: whoever can write to a folder above can put another one in its place."""
    above = {*folder.parents, *(folder.parent.resolve() / "any").parents}
    for parent in sorted(parent for parent in above if parent.exists()):
        found = parent.stat()
        kept = not found.st_mode & 0o022 or found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) or not kept:
            raise HostError(
                "others could take over SSH connections: a folder above that of their sockets is not the operator's",
                code="SSH_SOCKETS", path=str(parent), found=f"{stat.filemode(found.st_mode)} of user {found.st_uid}",
                allowed=f"user {os.geteuid()} or root, and no others that may write", hint=HINT,
            )  # fmt: skip
