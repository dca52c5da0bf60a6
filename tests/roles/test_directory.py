"""The directory of people comes, is closed on some hosts, and goes: role directory with its real modules on a copy of /etc."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment
from tests.roles.apart import Site

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("role", "open_to_people"), [("controller", True), ("compute", True), ("storage", False)]
)
def test_people_of_a_directory_do_not_log_in_to_storage(role: str, open_to_people: bool) -> None:
    """What the playbooks give the role, templated as Ansible does."""
    given = yaml.safe_load((ROOT / "playbooks/group_vars/all.yml").read_text())["directory_logins"]
    assert NativeEnvironment().from_string(given).render(railbed_role=role) is open_to_people


OFF = ("etc/sssd/sssd.conf", "etc/ssh/sshd_config.d/30-railbed-ldap.conf", "etc/railbed/ldap-ca.pem")
UNITS = {"ssh.service": ["loaded", "active", "enabled"], "sssd.service": ["loaded", "inactive", "disabled"]}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The directory is there, goes (once in vain), and nothing happens."""
    site = Site(tmp_path_factory.mktemp("directory"), "directory")
    site.units(UNITS)
    (site.folder / "password").write_text("hunter2")
    ldap = {"directory_uris": ["ldaps://a.test"], "directory_base": "dc=a", "directory_groups": ["hpc"],
            "directory_ca": "-----BEGIN CERTIFICATE-----\n", "directory_bind_dn": "cn=a",
            "directory_bind_password_file": str(site.folder / "password")}  # fmt: skip
    fits = {"directory_people_filter": "(employeeStatus=active)"}
    keep = (
        "cp units.json done {0}/; mkdir {0}/etc; cp --parents -r etc/sssd etc/ssh etc/railbed {0}; : > done"
    )
    site.run(
        "rm -f sbin/sshd; printf '#!/bin/sh\n' > sbin/sshd; chmod +x sbin/sshd; : > done",
        site.step("on", ldap), "mkdir 1; " + keep.format(1),
        site.step("closed", {**ldap, **fits, "directory_logins": False}), "mkdir 5; " + keep.format(5),
        # The second of the three calls fails: a folder is where a file should be.
        "mv etc/sssd/sssd.conf aside; mkdir etc/sssd/sssd.conf", site.step("broken", {}),
        "rmdir etc/sssd/sssd.conf; mv aside etc/sssd/sssd.conf; mkdir 2; " + keep.format(2),
        site.step("off", {}), "mkdir 3; " + keep.format(3), site.step("again", {}),
        # One of the site's own.
        "echo own > etc/sssd/sssd.conf", site.step("own", {}), "mkdir 4; " + keep.format(4),
    )  # fmt: skip
    return site


def test_a_directory_brings_its_files_and_its_daemon(directory: Site) -> None:
    assert not directory.failed("on"), directory.out("on")
    assert all((directory.folder / "1" / path).exists() for path in OFF)
    assert (directory.folder / "1" / OFF[0]).stat().st_mode & 0o777 == 0o600
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


def test_people_who_do_not_fit_the_filter_are_not_looked_up(directory: Site) -> None:
    base = "ldap_user_search_base = dc=a?subtree?"
    said = [(directory.folder / at / OFF[0]).read_text() for at in ("1", "5")]
    assert f"{base}(uidNumber>=1000)\n" in said[0]
    assert f"{base}(&(uidNumber>=1000)(employeeStatus=active))\n" in said[1]
    assert all("ldap_group_search_base = dc=a?subtree?(gidNumber>=1000)\n" in one for one in said)


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
