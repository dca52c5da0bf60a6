"""Secrets are readable by their owner only, made once, and told to nobody."""

from __future__ import annotations

from pathlib import Path

from railbed.effects import secrets
from railbed.effects.workspace import Workspace


def test_every_secret_is_0600_and_stays_the_same(tmp_path: Path) -> None:
    work = Workspace(tmp_path, "lab")
    secrets.ensure_stack_secrets(work)
    private = [path for path in work.secrets.iterdir() if path.suffix != ".pub"]
    assert {path.name for path in private} == {
        "operator_ed25519",
        "certificate_ed25519",
        "munge.key",
        "beegfs.auth",
        "contract.key",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)
    assert work.secrets.stat().st_mode & 0o077 == 0
    before = {path: path.read_bytes() for path in private}
    secrets.ensure_stack_secrets(work)
    assert before == {path: path.read_bytes() for path in private}


def test_the_passphrase_is_one_per_checkout(tmp_path: Path) -> None:
    first = secrets.passphrase_file(Workspace(tmp_path, "lab"))
    text = first.read_text()
    assert secrets.passphrase_file(Workspace(tmp_path, "other")) == first
    assert first.read_text() == text
    assert len(text) >= 32
    assert first.stat().st_mode & 0o777 == 0o600


def test_two_clusters_have_different_keys(tmp_path: Path) -> None:
    one, other = Workspace(tmp_path, "one"), Workspace(tmp_path, "other")
    for work in (one, other):
        secrets.ensure_stack_secrets(work)
    assert secrets.munge_key(one).read_bytes() != secrets.munge_key(other).read_bytes()
    assert secrets.beegfs_auth(one).read_bytes() != secrets.beegfs_auth(other).read_bytes()


def test_a_stack_of_an_older_version_gets_what_it_lacks(tmp_path: Path) -> None:
    work = Workspace(tmp_path, "lab")
    secrets.ensure_stack_secrets(work)
    munge = secrets.munge_key(work).read_bytes()
    secrets.beegfs_auth(work).unlink()
    assert not secrets.complete(work)
    secrets.ensure_stack_secrets(work)
    assert secrets.complete(work)
    assert secrets.munge_key(work).read_bytes() == munge


def test_the_key_that_every_node_accepted_is_neither_made_nor_shared_nor_kept(tmp_path: Path) -> None:
    work = Workspace(tmp_path, "lab")
    work.secrets.mkdir(parents=True)
    for name in secrets.RETIRED:
        (work.secrets / name).write_text("of an earlier version")
    secrets.take(work, dict.fromkeys(secrets.RETIRED, "b2xk"))
    secrets.ensure_stack_secrets(work)
    assert not [path for path in work.secrets.iterdir() if path.name.startswith("cluster")]
    assert not set(secrets.shared(work)) & set(secrets.RETIRED)
