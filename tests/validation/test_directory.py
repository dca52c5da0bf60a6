"""The directory of people. What sssctl and getent say is of sssd 2.8.2 against slapd 2.5.13 on Debian 12, names replaced."""

from __future__ import annotations

from typing import Any

import pytest

ONLINE, OFFLINE = "Online status: Online\n\n", "Online status: Offline\n\n"
GROUP = "hpc:*:70000:alice\n"
ADMIN = "ada:x:34567:34567::/home/ada:/bin/bash\n"
BOB = "bob:*:34567:70000:bob:/scratch/home/bob:/bin/bash\n"


@pytest.fixture
def node(world: Any) -> Any:
    """A node whose directory answers."""
    world.want |= {"directory": {"groups": ["hpc"], "admins": ["ada"]}}
    world.command("sssctl", ONLINE)
    world.without("getent")
    world.command("getent", GROUP, arguments="-s sss group hpc")
    world.command("getent", ADMIN, arguments="-s files passwd ada")
    world.command("getent", "", 2, arguments="-s sss passwd 34567")
    return world


def test_one_that_answers_passes(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert node.check("node.directory", monkeypatch).verdict == "pass"


def test_while_it_is_away_nothing_is_proven(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.command("sssctl", OFFLINE)
    found = node.check("node.directory", monkeypatch)
    assert found.verdict == "unproven" and "offline" in found.reason


@pytest.mark.refutes("node.directory")
@pytest.mark.parametrize(
    ("command", "out", "code", "arguments", "says"),
    [
        ("getent", "", 2, "-s sss group hpc", "no group hpc"),
        ("getent", BOB, 0, "-s sss passwd 34567", "34567 of admin ada is bob's"),
        ("systemctl", "failed\n", 3, "", "sssd.service is failed"),
    ],
)
def test_what_is_wrong_fails(
    node: Any, monkeypatch: pytest.MonkeyPatch, command: str, out: str, code: int, arguments: str, says: str
) -> None:
    if command == "systemctl":
        node.command("sssctl", "Unable to connect to system bus!\n", 1)
    node.command(command, out, code, arguments=arguments)
    found = node.check("node.directory", monkeypatch)
    assert (found.verdict, found.parts) == ("fail", ("directory",)) and says in found.reason


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("sssctl", ""),
        ("getent", "-s sss group hpc"),
        ("getent", "-s files passwd ada"),
        ("getent", "-s sss passwd 34567"),
    ],
)
def test_garbage_is_unproven(
    node: Any, monkeypatch: pytest.MonkeyPatch, command: str, arguments: str
) -> None:
    node.command(command, "\x00\xff", 1, arguments=arguments)
    assert node.check("node.directory", monkeypatch).verdict == "unproven"
