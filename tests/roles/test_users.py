"""People who come and go: role users with its real modules, where /etc, /home and /usr/sbin are copies that nobody else sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.roles.apart import Site

CLOUD_INIT = """\
# Created by cloud-init v. 24.1 on Sat, 28 Nov 2026 10:00:00 +0000

# User rules for railbed
railbed ALL=(ALL) NOPASSWD:ALL

# User rules for ada
ada ALL=(ALL) NOPASSWD:ALL

# User rules for adam
adam ALL=(ALL) NOPASSWD:ALL
"""
EXPIRES = 7
"""Field of shadow(5)."""
BY_HAND = f"""
printf '%s' '{CLOUD_INIT}' > /etc/sudoers.d/90-cloud-init-users; chmod 440 /etc/sudoers.d/90-cloud-init-users
useradd -m railbed
for who in ada adam railbed; do mkdir -p /home/$who/.ssh; echo key > /home/$who/.ssh/authorized_keys; done
echo data > /home/ada/data
for who in ctl ghost; do touch /etc/railbed/users/$who.keys; done
touch /etc/railbed/users/railbed.keys
"""
"""What cloud-init and the people themselves have left; somebody without an account, and a file with railbed's own name."""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """ada and adam come, ada goes (once in vain), nothing happens, ada comes back."""
    site = Site(tmp_path_factory.mktemp("people"))
    site.run(
        site.role("both", "ada", "adam"), BY_HAND, "touch refuse", site.role("broken", "adam"), "rm refuse",
        site.role("gone", "adam"), "find home -type f -name authorized_keys > keys; find etc/railbed -type f > left",
        site.role("again", "adam"), site.role("back", "ada", "adam"), site.role("still", "ada", "adam"),
    )  # fmt: skip
    return site


def test_people_come_with_an_open_account(people: Site) -> None:
    assert not people.failed("both"), people.out("both")
    passwd, shadow = people.account("both", "ada")
    assert passwd[6] == "/bin/bash" and shadow[1].startswith("!") and shadow[EXPIRES] == ""
    assert people.sudoers("both") == {"ada", "adam"}


def test_who_goes_is_locked_and_expired_and_keeps_home_and_shell(people: Site) -> None:
    assert not people.failed("gone"), people.out("gone")
    passwd, shadow = people.account("gone", "ada")
    assert shadow[1].startswith("!") and shadow[EXPIRES] == "1"
    assert passwd == people.account("both", "ada")[0]
    assert (people.folder / "home/ada/data").read_text() == "data\n"


def test_who_goes_has_neither_root_nor_a_key_left_and_all_others_do(people: Site) -> None:
    assert people.sudoers("gone") == {"railbed", "adam"}
    kept = {Path(path).parts[1] for path in (people.folder / "keys").read_text().split()}
    assert kept == {"railbed", "adam"}
    assert (people.folder / "left").read_text().split() == ["etc/railbed/users/adam.keys"]
    for who in ("adam", "railbed"):
        assert people.account("gone", who)[1][EXPIRES] == ""
    assert people.account("gone", "root")[1] == people.account("both", "root")[1]


def test_who_has_no_account_here_gets_none(people: Site) -> None:
    assert "ghost" not in (people.folder / "gone.seen").read_text()


def test_a_run_that_broke_off_is_made_good_by_the_next(people: Site) -> None:
    assert people.failed("broken") and "failed to validate" in people.out("broken")
    assert "ada" in people.sudoers("broken"), "it broke off before that"
    assert "ada" not in people.sudoers("gone")


def test_a_run_without_a_change_has_none(people: Site) -> None:
    for name in ("again", "still"):
        assert not people.failed(name) and not people.changed(name), people.out(name)


def test_who_comes_back_gets_an_open_account(people: Site) -> None:
    assert not people.failed("back"), people.out("back")
    passwd, shadow = people.account("back", "ada")
    assert shadow[EXPIRES] == "" and passwd == people.account("both", "ada")[0]
    assert people.sudoers("back") == {"railbed", "ada", "adam"}
