"""People who come and go: role users with its real modules, where /etc, /home and /usr/sbin are copies that nobody else sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment
from tests.roles.apart import Site

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.parametrize(
    ("role", "open_to_people"), [("controller", True), ("compute", True), ("storage", False)]
)
def test_people_of_a_directory_do_not_log_in_to_storage(role: str, open_to_people: bool) -> None:
    """What the playbooks give the role, templated as Ansible does."""
    given = yaml.safe_load((ROOT / "playbooks/group_vars/all.yml").read_text())["users_ldap_logins"]
    assert NativeEnvironment().from_string(given).render(railbed_role=role) is open_to_people


OFF = ("etc/sssd/sssd.conf", "etc/ssh/sshd_config.d/30-railbed-ldap.conf", "etc/railbed/ldap-ca.pem")
UNITS = {"ssh.service": ["loaded", "active", "enabled"], "sssd.service": ["loaded", "inactive", "disabled"]}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The directory is there, goes (once in vain), and nothing happens."""
    site = Site(tmp_path_factory.mktemp("directory"))
    site.units(UNITS)
    (site.folder / "ca.pem").write_text("certificate")
    (site.folder / "password").write_text("hunter2")
    ldap = {"uris": ["ldaps://a.test"], "base": "dc=a", "ca_file": str(site.folder / "ca.pem"), "groups": ["hpc"],
            "bind_dn": "cn=a", "bind_password_file": str(site.folder / "password")}  # fmt: skip
    keep = (
        "cp units.json done {0}/; mkdir {0}/etc; cp --parents -r etc/sssd etc/ssh etc/railbed {0}; : > done"
    )
    site.run(
        "rm -f sbin/sshd; printf '#!/bin/sh\n' > sbin/sshd; chmod +x sbin/sshd; : > done",
        site.role("on", "ada", users_ldap=ldap), "mkdir 1; " + keep.format(1),
        site.role("closed", "ada", users_ldap=ldap, users_ldap_logins=False), "mkdir 5; " + keep.format(5),
        # The second of the three calls fails: a folder is where a file should be.
        "mv etc/sssd/sssd.conf aside; mkdir etc/sssd/sssd.conf", site.role("broken", "ada"),
        "rmdir etc/sssd/sssd.conf; mv aside etc/sssd/sssd.conf; mkdir 2; " + keep.format(2),
        site.role("off", "ada"), "mkdir 3; " + keep.format(3), site.role("again", "ada"),
        # One of the site's own.
        "echo own > etc/sssd/sssd.conf", site.role("own", "ada"), "mkdir 4; " + keep.format(4),
    )  # fmt: skip
    return site


def test_a_directory_brings_its_files_and_its_daemon(directory: Site) -> None:
    assert not directory.failed("on"), directory.out("on")
    assert all((directory.folder / "1" / path).exists() for path in OFF)
    assert "hunter2" in (directory.folder / "1" / OFF[0]).read_text()
    assert json.loads((directory.folder / "1/units.json").read_text())["sssd.service"] == [
        "loaded",
        "active",
        "enabled",
    ]


def test_a_host_that_is_not_for_logins_knows_the_directory_and_lets_nobody_of_it_in(directory: Site) -> None:
    assert not directory.failed("closed"), directory.out("closed")
    open_, closed = ((directory.folder / number / OFF[0]).read_text() for number in ("1", "5"))
    assert "access_provider = simple\nsimple_allow_groups = hpc\n" in open_
    assert "access_provider = deny\n" in closed and "simple" not in closed and "ldap_uri" in closed


def test_without_it_nobody_of_it_comes_in_and_its_password_is_gone(directory: Site) -> None:
    assert not directory.failed("off"), directory.out("off")
    assert not [path for path in OFF if (directory.folder / "3" / path).exists()]
    assert json.loads((directory.folder / "3/units.json").read_text())["sssd.service"] == [
        "loaded",
        "inactive",
        "disabled",
    ]
    assert not directory.failed("again") and not directory.changed("again"), directory.out("again")


def test_switching_off_that_broke_off_has_closed_the_door_and_is_made_good(directory: Site) -> None:
    assert directory.failed("broken") and "is a folder" in directory.out("broken")
    assert not (directory.folder / "2" / OFF[1]).exists()
    assert (directory.folder / "2/done").read_text().split("\n")[0] == "reload ssh.service"
    assert (directory.folder / "2" / OFF[2]).read_text() == "", "what tells the next run"


def test_an_sssd_of_the_sites_own_is_left_as_it_is(directory: Site) -> None:
    assert not directory.failed("own") and not directory.changed("own"), directory.out("own")
    assert (directory.folder / "4" / OFF[0]).read_text() == "own\n"
    assert "hunter2" not in directory.out("on") + directory.out("off")
