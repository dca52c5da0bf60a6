"""Why a node was not reached, from what OpenSSH and Ansible say."""

from __future__ import annotations

import pytest

from railbed.configure.ssh_errors import reason, refused_root

SAID = [
    ("Host key for 127.0.0.1 has changed and you have requested strict checking. Host key verification failed.",
     "host key changed"),
    ("No ED25519 host key is known for 127.0.0.1 and you have requested strict checking.", "host key unknown"),
    ("root@127.0.0.1: Permission denied (publickey).", "login refused"),
    ("Failed to create temporary directory … mkdir: cannot create directory: No space left on device", "disk full"),
    ("Connection to 127.0.0.1 closed by remote host.", "connection broke off"),
    ("ssh: connect to host 127.0.0.1 port 22: Connection refused", "no answer"),
    ("something that nobody knows", ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "told"), SAID)
def test_a_reason_is_told_where_there_is_one(said: str, told: str) -> None:
    assert reason(said).split(":")[0] == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Task failed: Missing sudo password", "railbed's login may not become root there"),
        ("MODULE FAILURE: sudo: a password is required", "railbed's login may not become root there"),
        ("root@127.0.0.1: Permission denied (publickey).", ""),
        ("E: Unable to locate package sudo", ""),
    ],
)
def test_a_login_without_sudo_is_told_apart(said: str, told: str) -> None:
    """The first is what Ansible 2.19.14 said where sudo 1.9.13 wanted a password."""
    assert refused_root(said).split(":")[0] == told
