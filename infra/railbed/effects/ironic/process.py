"""The embedded Ironic: prepared, started as a child of this process, waited for, and ended with its secrets.

One for a stack's folder, while at least one machine needs it. Its state stays where a machine is half-way; the next run goes on
from there, and forgets what no record says is begun. Where railbed is root, Ironic's own user writes below ``STATE`` and root
writes beside it, never below.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from railbed.defaults import (
    IRONIC_READY_POLL_S,
    IRONIC_READY_TIMEOUT_S,
    IRONIC_STOP_TIMEOUT_S,
    IRONIC_UID,
)
from railbed.effects import files, lock
from railbed.effects.bmc.certificate import certify
from railbed.effects.ironic import venv
from railbed.effects.ironic.client import Access, Nodes
from railbed.effects.ironic.config import AGENT_TRUSTS, STATE, USER, Where, rendered
from railbed.errors import Busy, HostError, RailbedError
from railbed.run import Session

PROGRAM = Path(__file__).with_name("embedded.py")
PASSWORD_BYTES = 32
HalfMade = Callable[[], Collection[str]]
"""Names of the machines whose installation has begun and not ended, as their records say."""
DATABASE = {
    "DATABASE DAMAGED": (
        "the embedded Ironic's database is damaged; no machine was touched",
        "remove the stack's folder `ironic`, then run the same again: half-made machines begin anew, from their records",
    ),
    "DATABASE HELD": (
        "another process holds the embedded Ironic's database; no machine was touched",
        "end it (`fuser` on the file names it), then run the same again",
    ),
}
"""What ``embedded.py`` says last → message and hint."""
ISO_MAKERS = ("mkisofs", "xorrisofs", "genisoimage")


@dataclass
class Embedded:
    """One that runs."""

    folder: Path
    access: Access
    session: Session = field(repr=False)
    resources: ExitStack = field(repr=False)
    users: int = 0


_running: dict[Path, Embedded] = {}
_lock = threading.Lock()


@contextmanager
def running(
    folder: Path, where: Where, python: Path, half_made: HalfMade, authorities: str = ""
) -> Iterator[Embedded]:
    """Ironic with its state in ``folder``, made by ``python`` of its own environment; one that has died is started again.

    Of what an earlier run left only the nodes that ``half_made`` names are gone on with.
    Raises Busy where another railbed runs it, HostError where this machine lacks something, RailbedError ``IRONIC_START``.
    """
    with _lock:
        found = _running.get(folder)
        if found is None or found.session.ended:
            users = _bury(found) if found else 0
            left = None if found else half_made()
            found = _running[folder] = _start(folder, where, python, authorities, left)
            found.users = users
        found.users += 1
    try:
        yield found
    finally:
        with _lock:
            now = _running.get(folder)
            if now is not None:
                now.users -= 1
                if not now.users:
                    _stop(_running.pop(folder))


def _bury(dead: Embedded) -> int:
    """Lets go of one that ended by itself; returns for how many machines it was running."""
    _running.pop(dead.folder)
    dead.session.close()
    dead.resources.close()
    return dead.users


def iso_maker() -> str:
    """The program that makes the ramdisk's disc. Raises HostError where there is none."""
    found = next((place for name in ISO_MAKERS if (place := shutil.which(name))), None)
    if found is None:
        raise HostError(
            "no program that makes ISO images", allowed=" or ".join(ISO_MAKERS), hint="apt install xorriso"
        )
    return found


def tidy(folder: Path, half_made: HalfMade) -> None:
    """Removes the state, with all its secrets, that a killed run left though no machine is half-way."""
    with _lock:
        if folder in _running or not folder.exists():
            return
        try:
            with lock.acquire(folder.with_suffix(".lock"), "the embedded Ironic"):
                if not half_made():
                    shutil.rmtree(folder)
        except Busy:
            return  # another railbed's, which removes it itself


def _start(
    folder: Path, where: Where, python: Path, authorities: str, left: Collection[str] | None
) -> Embedded:
    """``left``: nodes that are gone on with; None: all of them."""
    maker = iso_maker()
    with ExitStack() as holding:
        holding.enter_context(lock.acquire(folder.with_suffix(".lock"), "the embedded Ironic"))
        if folder.exists() and left is not None and not left:
            shutil.rmtree(folder)
        prepare(folder, where, maker, authorities)
        session = Session(
            [*_as_user(folder, python), python, PROGRAM, "--config-file", folder / "ironic.conf"]
        )
        access = Access(
            where.url, USER, secrets.token_urlsafe(PASSWORD_BYTES), str(folder / "certificate.pem")
        )
        embedded = Embedded(folder, access, session, holding)
        try:
            session.send(f"{access.password}\n".encode())
            _await(embedded)
            if left is not None:
                nodes = Nodes(access)
                for name in set(nodes.names()) - set(left):
                    nodes.forget(name)
        except BaseException:
            session.close(IRONIC_STOP_TIMEOUT_S)
            raise
        embedded.resources = holding.pop_all()
    return embedded


def prepare(folder: Path, where: Where, maker: str, authorities: str) -> None:
    """Folders, certificate and settings; what an earlier run left stays beside."""
    for one in (folder, folder / "bin", folder / "agent"):
        one.mkdir(parents=True, exist_ok=True, mode=0o700)
        entered(one)
    (folder / STATE).mkdir(exist_ok=True, mode=0o700)
    tool = folder / "bin" / "mkisofs"
    tool.unlink(missing_ok=True)
    tool.symlink_to(maker)
    certificate, key = certify(folder, where.address)
    trusted = folder / "authorities.pem"
    if authorities:
        shutil.copyfile(authorities, trusted)
    agents = folder / AGENT_TRUSTS
    files.replace(
        agents,
        certificate.read_text() + Path(authorities or requests.utils.DEFAULT_CA_BUNDLE_PATH).read_text(),
    )
    token = folder / "token"
    if not token.exists():
        files.replace(token, secrets.token_urlsafe(PASSWORD_BYTES), mode=files.PRIVATE)
    settings = folder / "ironic.conf"
    files.replace(
        settings,
        rendered(folder, where, str(trusted) if authorities else "", token.read_text()),
        mode=files.PRIVATE,
    )
    for one in (folder / STATE, certificate, key, settings, agents, *([trusted] if authorities else [])):
        handed(one)


def entered(folder: Path) -> None:
    """Ironic's own user may use what is in the folder, and change nothing there."""
    if os.geteuid() == 0:
        os.chown(folder, 0, IRONIC_UID)
        folder.chmod(0o710)


def handed(path: Path) -> None:
    """Gives a file or a folder that root has made to Ironic's own user."""
    if os.geteuid() == 0:
        os.chown(path, IRONIC_UID, IRONIC_UID, follow_symlinks=False)


def _as_user(folder: Path, python: Path) -> list[str]:
    """Begins the command: nothing of this process's environment, no way to new rights, and never root."""
    clean = [
        "env",
        "-i",
        f"PATH={folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
        f"HOME={folder / STATE}",
        "LANG=C.UTF-8",
        "PYTHONWARNINGS=ignore",  # its last words are the reason where it does not start
    ]
    drop = ["setpriv", "--no-new-privs"]
    if os.geteuid() == 0:
        for path in (folder, python, PROGRAM):
            if (shut := venv.closed(path.absolute())) is not None:
                raise HostError(
                    "Ironic does not run as root, and its own user cannot enter a folder on the way", path=str(path),
                    found=str(shut), allowed="folders that others may enter (mode o+x)",
                    hint="run railbed as a user that is not root, or put the checkout elsewhere",
                )  # fmt: skip
        drop += [f"--reuid={IRONIC_UID}", f"--regid={IRONIC_UID}", "--clear-groups"]
    return [*clean, *drop]


def _await(embedded: Embedded) -> None:
    deadline = time.monotonic() + IRONIC_READY_TIMEOUT_S
    with requests.Session() as asking:
        asking.trust_env = False
        asking.auth, asking.verify = (embedded.access.user, embedded.access.password), embedded.access.ca_file
        while time.monotonic() < deadline:
            if embedded.session.ended:
                break
            try:
                answer = asking.get(
                    f"{embedded.access.url}/v1/drivers/redfish", timeout=IRONIC_READY_TIMEOUT_S
                )
                if answer.ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(IRONIC_READY_POLL_S)
    said = embedded.session.close(IRONIC_STOP_TIMEOUT_S).tail()
    for word, (message, hint) in DATABASE.items():
        if word in said:
            raise RailbedError(
                message, code="IRONIC_DATABASE", path=str(embedded.folder / STATE / "ironic.sqlite"),
                found=said.rsplit(f"{word}: ", 1)[-1], allowed="the database of the run before, whole and nobody's", hint=hint,
            )  # fmt: skip
    raise RailbedError(
        "the embedded Ironic did not start", code="IRONIC_START", path=str(embedded.folder / STATE / "logs/ironic.log"),
        found=said,
        allowed=f"an answer at {embedded.access.url} within {IRONIC_READY_TIMEOUT_S:g} s",
        hint="is its port another program's?",
    )  # fmt: skip


def _stop(embedded: Embedded) -> None:
    """Ends it, and removes its state with all secrets unless a machine is half-way."""
    try:
        left = Nodes(embedded.access).names()
    except RailbedError:
        left = ["unknown"]  # it has ended by itself, so nothing is known to be done
    embedded.session.close(IRONIC_STOP_TIMEOUT_S)
    if not left:
        shutil.rmtree(embedded.folder)
    embedded.resources.close()
