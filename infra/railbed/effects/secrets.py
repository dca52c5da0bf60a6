"""Secrets of a checkout and of its stacks: made once, 0600, read by path; never in argv, logs, artefacts or state."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from railbed.defaults import SECRETS_WAIT_S
from railbed.effects import files
from railbed.effects.lock import acquire
from railbed.effects.secret_files import SecretError, flaw, flaw_of_file, stem
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.run import run

MUNGE_KEY_BYTES = 1024
BEEGFS_AUTH_BYTES = 128
"""As long as the BeeGFS documentation makes the file that servers and clients share
(doc.beegfs.io/8.0/advanced_topics/authentication.html)."""
PASSPHRASE_BYTES = 32
CONTRACT_KEY_BYTES = 32
STACK_ID = b"railbed folders on shared filesystems"
"""As long as what HMAC-SHA256 makes of it: a longer key adds nothing (RFC 2104, 3)."""
KEYS = ("operator_ed25519", "certificate_ed25519")
RETIRED = ("cluster_ed25519", "cluster_ed25519.pub")
"""Made by earlier versions: a key that root of every node accepted from every node. Roles remove it from nodes."""
SHARED = frozenset([*KEYS, *(f"{name}.pub" for name in KEYS), "munge.key", "beegfs.auth", "contract.key"])
BUILDING = ".building"
"""Folder below the secrets in which ssh-keygen makes a pair."""


def passphrase_file(work: Workspace) -> Path:
    """Encrypts secret outputs in the engine's state; one per checkout.

    Raises SecretError where it is missing or empty and a state that was encrypted with it is there.
    """
    file = work.local / "passphrase"
    if not flaw_of_file(file):
        return file
    work.local.mkdir(parents=True, exist_ok=True)
    with acquire(work.local / "passphrase.lock", "the passphrase", wait_s=SECRETS_WAIT_S):
        wrong = flaw_of_file(file)
        if wrong and any((work.local / "state/.pulumi/stacks").rglob("*.json")):
            raise SecretError(
                f"the passphrase of the engine's state {wrong}", path=str(file),
                hint="put it back from a backup; without it the secrets in the state cannot be read",
            )  # fmt: skip
        if wrong:
            files.replace(file, secrets.token_urlsafe(PASSPHRASE_BYTES), mode=files.PRIVATE)
    return file


def ensure_stack_secrets(work: Workspace) -> None:
    """Operator key, certificate key, munge key, BeeGFS's shared file and contract key of a stack.

    All of them always, whatever the stack has: an operator who joins must not make one that the others lack. A public key is
    derived again from its private key. A secret that was cut short is made anew where nothing can know it yet; else raises
    SecretError.
    """
    if not complete(work):
        with _writing(work):
            _ensure_pair(work.operator_key, f"railbed operator {work.stack}")
            _ensure_pair(work.signing_key, f"railbed certificate {work.stack}")
            _ensure_bytes(work, munge_key(work), MUNGE_KEY_BYTES)
            _ensure_bytes(work, beegfs_auth(work), BEEGFS_AUTH_BYTES)
            _ensure_bytes(work, contract_key(work), CONTRACT_KEY_BYTES)
    for name in RETIRED:
        (work.secrets / name).unlink(missing_ok=True)


def munge_key(work: Workspace) -> Path:
    return work.secrets / "munge.key"


def beegfs_auth(work: Workspace) -> Path:
    """What proves to a BeeGFS server that a client is the cluster's own."""
    return work.secrets / "beegfs.auth"


def contract_key(work: Workspace) -> Path:
    """What proves that a contract was made by an operator of this stack."""
    return work.secrets / "contract.key"


def stack_id(work: Workspace) -> str:
    """Twelve characters that no other stack has, and every operator of this one; empty where the contract key is not there."""
    file = contract_key(work)
    if flaw_of_file(file):
        return ""
    return hmac.new(file.read_bytes(), STACK_ID, hashlib.sha256).hexdigest()[:12]


def public_key(private: Path) -> str:
    """``ssh-ed25519 AAAA… comment`` of a private key's file."""
    return Path(f"{private}.pub").read_text().strip()


def shared(work: Workspace) -> dict[str, str]:
    """File name → content (base64) of the stack's secrets, for the engine to keep encrypted: a team's operators share them.

    Otherwise a second operator's new key would change the boot script of every node.
    """
    return {
        file.name: base64.b64encode(file.read_bytes()).decode()
        for file in sorted(work.secrets.iterdir())
        if file.name in SHARED
    }


def complete(work: Workspace) -> bool:
    """True where this checkout has every secret of the stack already, each of them whole."""
    return not any(flaw_of_file(work.secrets / name) for name in SHARED)


def take(work: Workspace, content: Mapping[str, str]) -> bool:
    """Writes what ``shared`` gave to another operator; a whole secret that is there stays. True where one was written.

    A public key comes with its private one only. Raises SecretError for a copy that is not whole.
    """
    names = sorted(SHARED & content.keys())
    missing = [name for name in names if flaw_of_file(work.secrets / stem(name))]
    if not missing:
        return False
    with _writing(work):
        for name in missing:
            try:
                copy = base64.b64decode(content[name], validate=True)
            except binascii.Error:
                copy = b""
            if wrong := flaw(name, copy):
                raise SecretError(
                    f"the copy of {name} in the stack's state {wrong}", path=str(work.secrets / name),
                    hint="take the file from the checkout of an operator who has it",
                )  # fmt: skip
            files.replace(work.secrets / name, copy, mode=files.PRIVATE)
    return True


@contextmanager
def _writing(work: Workspace) -> Iterator[None]:
    """One writer at a time; what a killed one left half-made goes."""
    work.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    with acquire(work.dir / "secrets.lock", f"the secrets of stack {work.stack}", wait_s=SECRETS_WAIT_S):
        shutil.rmtree(work.secrets / BUILDING, ignore_errors=True)
        for left in work.secrets.glob(files.BESIDE):
            left.unlink()
        yield


def _ensure_pair(private: Path, comment: str) -> None:
    public = Path(f"{private}.pub")
    if wrong := flaw_of_file(private):
        if public.exists():  # the public part may be on nodes, or in certificates
            raise SecretError(
                f"the private key {wrong}, and its public key is in use", path=str(private),
                hint=f"put it back from a backup (of a team's stack, `railbed setup` takes it from the state); or remove "
                f"{private.name} and {public.name} to have a new pair, which nodes and certificates that exist do not know",
            )  # fmt: skip
        building = private.parent / BUILDING
        building.mkdir(mode=0o700)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", building / private.name])
        files.replace(private, (building / private.name).read_bytes(), mode=files.PRIVATE)
        shutil.rmtree(building)
    if flaw_of_file(public):
        files.replace(public, _derived(private))


def _derived(private: Path) -> str:
    """The public key, with the comment that the private key's file has."""
    try:
        return run(["ssh-keygen", "-y", "-P", "", "-f", private]).stdout
    except CommandError as failed:
        raise SecretError(
            f"the public key cannot be derived from the private key: {failed.message}", path=str(private),
            hint="put both files back from a backup",
        ) from None  # fmt: skip


def _ensure_bytes(work: Workspace, file: Path, size_bytes: int) -> None:
    wrong = flaw_of_file(file)
    if wrong and file.exists() and work.contract_file.exists():
        raise SecretError(
            f"{file.name} {wrong}, and nodes may have the whole one", path=str(file),
            hint=f"put it back from a backup (of a team's stack, `railbed setup` takes it from the state); or remove it to "
            f"have a new one, and run `railbed converge` on all nodes of {work.stack}",
        )  # fmt: skip
    if wrong:
        files.replace(file, secrets.token_bytes(size_bytes), mode=files.PRIVATE)
