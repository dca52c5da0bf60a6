"""A team's state: which addresses are taken, that no credential is written, and shared keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed.effects import secrets
from railbed.effects.engine import backend
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError

KEY = "awskms://alias/railbed?region=us-east-2"


@pytest.mark.parametrize(
    "url", ["s3://acme?region=us-east-2", "gs://acme", "azblob://acme?storage_account=x", "file:///srv/state"]
)
def test_object_stores_are_taken(url: str) -> None:
    assert backend.checked(url, KEY) == backend.Team(url, KEY)


@pytest.mark.parametrize(
    ("url", "key", "code", "path"),
    [
        ("s4://acme", KEY, "STATE_ADDRESS", "--backend"),
        ("https://acme.example", KEY, "STATE_ADDRESS", "--backend"),
        ("s3://acme", "passphrase", "STATE_ADDRESS", "--secrets-provider"),
        ("s3://AKIA:topsecret@acme", KEY, "STATE_SECRET", "--backend"),
        ("azblob://acme?sig=abc", KEY, "STATE_SECRET", "--backend"),
        ("s3://acme", "hashivault://k?token=abc", "STATE_SECRET", "--secrets-provider"),
    ],
)
def test_other_addresses_are_refused(url: str, key: str, code: str, path: str) -> None:
    with pytest.raises(UsageError) as refused:
        backend.checked(url, key)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert "topsecret" not in refused.value.as_text()
    assert "abc" not in refused.value.as_text()


def test_the_project_file_keeps_everything_else(tmp_path: Path) -> None:
    project = tmp_path / "Pulumi.yaml"
    project.write_text("name: railbed\n# a comment\nmain: infra/\n")
    assert backend.team_backend(tmp_path) == ""
    for url in ("s3://one", "s3://two"):
        backend.write_team_backend(tmp_path, url)
        assert backend.team_backend(tmp_path) == url
    assert project.read_text().startswith("name: railbed\n# a comment\nmain: infra/\n")
    assert project.read_text().count("backend:") == 1


def test_a_second_operator_gets_the_same_keys_and_keeps_his_own(tmp_path: Path) -> None:
    first, second = Workspace(tmp_path / "a", "prod"), Workspace(tmp_path / "b", "prod")
    secrets.ensure_stack_secrets(first)
    assert secrets.take(second, secrets.shared(first))
    for file in first.secrets.iterdir():
        assert (second.secrets / file.name).read_bytes() == file.read_bytes()
        assert (second.secrets / file.name).stat().st_mode & 0o077 == 0
    assert not secrets.take(second, {"operator_ed25519": "AAAA", "../escape": "AAAA"})
    assert not (tmp_path / "b/.railbed/prod/escape").exists()
