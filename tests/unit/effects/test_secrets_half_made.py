"""A secret that a crash, a full disk or a person left half-made is repaired, or named with what to do; it is never used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.full_disk import files_end_at

from railbed.effects import secrets
from railbed.effects.secret_files import SecretError, flaw
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError

STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "subprocess.Popen")
"""Audit events (docs.python.org/3/library/audit_events.html) after which the disk, or a process, is another one."""


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "lab")


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Runs the action in a process that is killed before its so many-th step; False where it had fewer."""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            action()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def assert_whole(work: Workspace) -> None:
    assert secrets.complete(work)
    assert {file.name for file in work.secrets.iterdir()} == secrets.SHARED
    for name in secrets.KEYS:
        private = work.secrets / name
        derived = subprocess.run(
            ["ssh-keygen", "-y", "-f", private], capture_output=True, text=True, check=True
        ).stdout
        assert secrets.public_key(private) == derived.strip()
        assert derived.endswith(f"{name.removesuffix('_ed25519')} lab\n")
    assert all(file.stat().st_mode & 0o077 == 0 for file in work.secrets.iterdir() if file.suffix != ".pub")


def test_a_kill_at_every_step_leaves_what_the_next_run_makes_whole(tmp_path: Path) -> None:
    step = 1
    while True:
        work = Workspace(tmp_path / str(step), "lab")
        killed = killed_at(step, lambda work=work: secrets.ensure_stack_secrets(work))  # type: ignore[misc]
        before = {
            file.name: file.read_bytes() for file in work.secrets.glob("*") if file.name in secrets.SHARED
        }
        secrets.ensure_stack_secrets(work)
        assert_whole(work)
        # What was complete stays: nodes may know it.
        for name, content in before.items():
            assert (work.secrets / name).read_bytes() == content
        if not killed:
            break
        step += 1
    assert step > 30


def test_a_kill_at_every_step_of_the_passphrase(tmp_path: Path) -> None:
    step, killed = 1, True
    while killed:
        work = Workspace(tmp_path / str(step), "lab")
        killed = killed_at(step, lambda work=work: secrets.passphrase_file(work))  # type: ignore[misc]
        assert len(secrets.passphrase_file(work).read_text()) >= 32
        step += 1
    assert step > 3


def test_a_kill_while_a_team_s_secrets_are_taken(tmp_path: Path) -> None:
    first = Workspace(tmp_path / "first", "lab")
    secrets.ensure_stack_secrets(first)
    shared, step, killed = secrets.shared(first), 1, True
    while killed:
        second = Workspace(tmp_path / str(step), "lab")
        killed = killed_at(step, lambda second=second: secrets.take(second, shared))  # type: ignore[misc]
        secrets.take(second, shared)
        assert secrets.shared(second).keys() >= {"operator_ed25519", "munge.key"}
        secrets.ensure_stack_secrets(second)
        assert secrets.shared(second) == shared
        step += 1


def test_a_missing_or_cut_public_key_is_derived(work: Workspace) -> None:
    secrets.ensure_stack_secrets(work)
    public = Path(f"{work.operator_key}.pub")
    whole = public.read_text()
    public.unlink()
    secrets.ensure_stack_secrets(work)
    assert public.read_text() == whole
    for part in ("", whole[:30]):
        public.write_text(part)
        secrets.ensure_stack_secrets(work)
        assert public.read_text() == whole


def test_a_private_key_that_nobody_knows_yet_is_made_anew(work: Workspace) -> None:
    """As ssh-keygen leaves it when it is killed between opening and writing the private key's file."""
    work.secrets.mkdir(parents=True)
    work.operator_key.touch(0o600)
    secrets.ensure_stack_secrets(work)
    assert_whole(work)


@pytest.mark.parametrize("content", [None, "", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"])
def test_a_private_key_that_is_lost_or_cut_is_named(work: Workspace, content: str | None) -> None:
    secrets.ensure_stack_secrets(work)
    public = Path(f"{work.operator_key}.pub").read_text()
    work.operator_key.unlink()
    if content is not None:
        work.operator_key.write_text(content)
    with pytest.raises(SecretError) as lost:
        secrets.ensure_stack_secrets(work)
    assert (lost.value.code, lost.value.path) == ("SECRET", str(work.operator_key))
    assert "backup" in lost.value.hint
    assert Path(f"{work.operator_key}.pub").read_text() == public


def test_a_private_key_that_only_looks_whole_is_named(work: Workspace) -> None:
    secrets.ensure_stack_secrets(work)
    Path(f"{work.operator_key}.pub").unlink()
    lines = work.operator_key.read_text().splitlines()
    work.operator_key.write_text("\n".join([lines[0], lines[1][:-8], lines[-1], ""]))
    with pytest.raises(SecretError, match="derived") as broken:
        secrets.ensure_stack_secrets(work)
    assert lines[1][:20] not in broken.value.as_text()


@pytest.mark.parametrize("name", ["munge.key", "beegfs.auth"])
def test_an_empty_shared_secret_is_made_anew_only_before_nodes_have_it(work: Workspace, name: str) -> None:
    secrets.ensure_stack_secrets(work)
    (work.secrets / name).write_bytes(b"")
    secrets.ensure_stack_secrets(work)
    assert flaw(name, (work.secrets / name).read_bytes()) == ""
    (work.secrets / name).write_bytes(b"")
    work.contract_file.write_text("{}")
    with pytest.raises(SecretError, match="is empty") as empty:
        secrets.ensure_stack_secrets(work)
    assert "railbed converge" in empty.value.hint
    assert (work.secrets / name).read_bytes() == b""


def test_an_empty_passphrase_is_made_anew_only_where_it_encrypted_nothing(work: Workspace) -> None:
    file = secrets.passphrase_file(work)
    for lose in (lambda: file.write_text(""), file.unlink):
        lose()
        assert len(secrets.passphrase_file(work).read_text()) >= 32
    state = work.local / "state/.pulumi/stacks/railbed"
    state.mkdir(parents=True)
    (state / "lab.json").write_text("{}")
    for lose in (lambda: file.write_text(""), file.unlink):
        lose()
        with pytest.raises(SecretError, match="passphrase"):
            secrets.passphrase_file(work)


def test_a_team_s_copy_repairs_what_is_not_whole_and_keeps_pairs_together(tmp_path: Path) -> None:
    first, second = Workspace(tmp_path / "a", "prod"), Workspace(tmp_path / "b", "prod")
    secrets.ensure_stack_secrets(first)
    shared = secrets.shared(first)
    secrets.take(second, shared)
    second.operator_key.write_text("")
    secrets.munge_key(second).write_bytes(b"short")
    assert not secrets.complete(second)
    assert secrets.take(second, shared)
    assert secrets.shared(second) == shared
    # A public key that is missing beside an own private key is derived, never taken from another pair.
    third = Workspace(tmp_path / "c", "prod")
    secrets.ensure_stack_secrets(third)
    own = secrets.public_key(third.operator_key)
    Path(f"{third.operator_key}.pub").unlink()
    assert not secrets.take(third, shared)
    secrets.ensure_stack_secrets(third)
    assert secrets.public_key(third.operator_key) == own


@pytest.mark.parametrize("copy", ["", "not base64!", "AAAA"])
def test_a_copy_that_is_not_whole_is_refused(work: Workspace, copy: str) -> None:
    with pytest.raises(SecretError):
        secrets.take(work, {"munge.key": copy})
    assert not secrets.munge_key(work).exists()


def test_a_full_disk_leaves_no_half_secret(work: Workspace) -> None:
    secrets.ensure_stack_secrets(work)
    secrets.munge_key(work).unlink()
    with files_end_at(100), pytest.raises(RailbedError) as full:
        secrets.ensure_stack_secrets(work)
    assert full.value.code == "SYSTEM"
    assert not secrets.munge_key(work).exists()
    secrets.ensure_stack_secrets(work)
    assert_whole(work)
