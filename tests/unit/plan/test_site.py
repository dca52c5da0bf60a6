"""Services of the site: what the spec takes and refuses, and what of it the plan shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.plan.test_clock import codes, planned

from railbed.contract import site as contract_site
from railbed.errors import SpecError
from railbed.platforms import services

DATA = Path(__file__).resolve().parents[1] / "data/spec"
AUTHORITY, SERVER = ((DATA / name).read_text() for name in ("authority.pem", "server.pem"))
"""Made with OpenSSL 3.0 for these tests, one of an authority (CA:TRUE) and one of a server; their keys are gone."""
DNS = {"servers": ["10.1.0.53"], "search": ["corp.example"]}


def refused(tmp_path: Path, example: str = "metal-cluster.yaml", **site: Any) -> SpecError:
    with pytest.raises(SpecError) as wrong:
        planned(example, tmp_path, site=site)
    return wrong.value


def test_name_servers_bring_their_claim_and_without_them_it_is_out_of_scope(tmp_path: Path) -> None:
    made = planned("metal-cluster.yaml", tmp_path, site={"dns": DNS})
    assert "node.dns" in [claim.id for claim in made.claims]
    assert made.as_json()["site"] == {"dns": DNS}
    bare = planned("metal-cluster.yaml", tmp_path, site={})
    assert "node.dns" in [one.id for one in bare.out_of_scope] and "site" not in bare.as_json()


def test_a_cloud_whose_names_are_not_divided_is_warned_of(tmp_path: Path) -> None:
    assert "DNS_UNDIVIDED" in codes(
        planned("aws-flagship.yaml", tmp_path, site={"dns": {"servers": ["10.1.0.53"]}})
    )
    assert "DNS_UNDIVIDED" not in codes(planned("aws-flagship.yaml", tmp_path, site={"dns": DNS}))


@pytest.mark.parametrize(
    "dns",
    [
        {"servers": []},
        {"servers": ["dns.example"]},
        {"servers": ["10.0.0.1"] * 4},
        {**DNS, "search": ["-x"]},
        {},
    ],
)
def test_what_is_no_name_server_is_refused(tmp_path: Path, dns: dict[str, Any]) -> None:
    assert "site.dns" in str(refused(tmp_path, dns=dns).path)


DIRECTORY = {
    "uris": ["ldaps://ldap.corp.example"], "base": "dc=corp,dc=example", "groups": ["hpc"], "ca": AUTHORITY,
}  # fmt: skip
HOMES = {"filesystem": "scratch"}


def test_a_directory_and_homes_bring_claim_groups_and_packages_and_the_contract_has_them(
    tmp_path: Path,
) -> None:
    bind = "cn=reader,dc=corp,dc=example"
    both = {"directory": {**DIRECTORY, "bind_dn": bind}, "homes": HOMES}
    made = planned("metal-cluster.yaml", tmp_path, site=both)
    assert "node.directory" in [claim.id for claim in made.claims] and "NO_HOMES" not in codes(made)
    settings = services.of(made)
    assert settings.homes == contract_site.Homes(mount="/scratch", path="/scratch/home")
    assert (
        settings.directory is not None
        and settings.directory.bind_dn == bind
        and settings.directory.ca == AUTHORITY
    )
    assert settings.directory.people_filter == ""
    assert "NO_HOMES" in codes(planned("metal-cluster.yaml", tmp_path, site={"directory": DIRECTORY}))


@pytest.mark.parametrize(
    "fits",
    [
        "(employeeStatus=active)",
        "(&(employeeStatus=active)(!(loginShell=/sbin/nologin)))",
        r"(|(cn=a*b*)(cn~=x)(uidNumber>=1000)(uidNumber<=9)(cn;lang-de=\28x\29)(mail=))",
        "(!(userAccountControl:1.2.840.113556.1.4.803:=2))",
    ],
)
def test_filters_of_the_published_form_are_taken(fits: str, tmp_path: Path) -> None:
    settings = services.of(
        planned("metal-cluster.yaml", tmp_path, site={"directory": {**DIRECTORY, "people_filter": fits}})
    )
    assert settings.directory is not None and settings.directory.people_filter == fits


def test_an_authority_with_windows_line_ends_is_written_as_openssl_has_it(tmp_path: Path) -> None:
    ca = AUTHORITY.replace("\n", "\r\n") * 2
    settings = services.of(
        planned("metal-cluster.yaml", tmp_path, site={"directory": {**DIRECTORY, "ca": ca}})
    )
    assert settings.directory is not None and settings.directory.ca == AUTHORITY * 2


@pytest.mark.parametrize(
    ("changes", "code", "where"),
    [
        ({"uris": ["ldap://ldap.corp.example"]}, "SPEC_CLEARTEXT", "directory.uris"),
        ({"uris": ["ldaps://a.example", "ldap://b.example"]}, "SPEC_CLEARTEXT", "directory.uris"),
        ({"start_tls": True}, "SPEC_CLEARTEXT", "directory.uris"),
        ({"uris": ["http://a.example"]}, "SPEC_INVALID", "directory.uris[0]"),
        ({"ca": "ldap.pem"}, "SPEC_CERTIFICATE", "directory.ca"),
        ({"ca": AUTHORITY.replace("M", "N", 1)}, "SPEC_CERTIFICATE", "directory.ca"),
        ({"ca": SERVER}, "SPEC_CERTIFICATE", "directory.ca"),
        ({"ids": "sid"}, "SPEC_INVALID", "directory.ids"),
        ({"bind_password": "hunter2"}, "SPEC_SECRET", "directory.bind_password"),
        ({"groups": []}, "SPEC_INVALID", "directory.groups"),
        ({"groups": ["a, b"]}, "SPEC_INVALID", "directory.groups[0]"),
        ({"people_filter": "employeeStatus=active"}, "SPEC_INVALID", "directory.people_filter"),
        ({"people_filter": "(a=b)(c=d)"}, "SPEC_INVALID", "directory.people_filter"),
        *(
            ({"people_filter": wrong}, "SPEC_INVALID", "directory.people_filter")
            for wrong in (
                "(foo)",
                "(&(a=b)c)",
                "(!(a=b)(c=d))",
                r"(a=\zz)",
                r"(a=\2)",
                "(&)",
                "(!)",
                "(=b)",
                "(a>=*)",
                "((a=b))",
                "(a=b(c)",
                "(&(a=b)(foo))",
            )
        ),
        ({"people_filter": "(&(a=b)"}, "SPEC_INVALID", "directory.people_filter"),
        ({"people_filter": "(a=b)?dc=else?subtree?(c=d)"}, "SPEC_INVALID", "directory.people_filter"),
        ({"people_filter": "(a={{ lookup('env', 'HOME') }})"}, "SPEC_INVALID", "directory.people_filter"),
    ],
)
def test_a_directory_that_does_not_hold_is_refused(
    tmp_path: Path, changes: dict[str, Any], code: str, where: str
) -> None:
    wrong = refused(tmp_path, directory={**DIRECTORY, **changes})
    assert wrong.code == code and str(wrong.path).endswith(f"site.{where}")


@pytest.mark.parametrize(
    ("homes", "code"),
    [
        ({"filesystem": "nowhere"}, "SPEC_FILESYSTEM"),
        ({**HOMES, "path": "../etc"}, "SPEC_PATH"),
        ({**HOMES, "path": "/scratch/home"}, "SPEC_PATH"),
        ({**HOMES, "path": "a//b"}, "SPEC_PATH"),
    ],
)
def test_homes_elsewhere_than_on_a_filesystem_are_refused(
    tmp_path: Path, homes: dict[str, Any], code: str
) -> None:
    assert refused(tmp_path, directory=DIRECTORY, homes=homes).code == code


def test_homes_that_would_hide_the_admins_own_or_have_no_people_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, homes=HOMES).code == "SPEC_INVALID"
    data = planned("metal-cluster.yaml", tmp_path).filesystems[0]
    moved = [
        {
            "name": "scratch",
            "mount": "/home",
            "offer": data.offer,
            "capacity_tib": 1.0,
            "existing": data.existing,
        }
    ]
    with pytest.raises(SpecError) as wrong:
        planned(
            "metal-cluster.yaml", tmp_path, filesystems=moved, site={"directory": DIRECTORY, "homes": HOMES}
        )
    assert wrong.value.code == "SPEC_PATH"


PROXY = "http://proxy.corp.example:3128"


def test_a_proxy_is_shown_and_its_login_warned_of(tmp_path: Path) -> None:
    given = {"http": PROXY, "https": PROXY, "no_proxy": [".corp.example", "10.0.0.0/8"]}
    plain = planned("metal-cluster.yaml", tmp_path, site={"proxy": given})
    assert plain.as_json()["site"] == {"proxy": given} and "PROXY_LOGIN" not in codes(plain)
    settings = services.of(
        planned("metal-cluster.yaml", tmp_path, site={"proxy": {**given, "authenticated": True}})
    )
    assert settings.proxy is not None and settings.proxy.authenticated
    with_login = planned(
        "metal-cluster.yaml", tmp_path, site={"proxy": {"http": PROXY, "authenticated": True}}
    )
    assert "PROXY_LOGIN" in codes(with_login)


@pytest.mark.parametrize(
    ("proxy", "code"),
    [
        ({}, "SPEC_PROXY"),
        ({"http": PROXY, "https": "http://other.example:3128", "authenticated": True}, "SPEC_PROXY"),
        ({"http": [PROXY, PROXY]}, "SPEC_INVALID"),
        ({"https": "https://proxy.corp.example:3128"}, "SPEC_INVALID"),
        ({"http": "http://u:p@proxy.corp.example:3128"}, "SPEC_SECRET"),
        ({"http": PROXY, "no_proxy": ["*"]}, "SPEC_INVALID"),
    ],
)
def test_a_proxy_that_does_not_hold_is_refused(tmp_path: Path, proxy: dict[str, Any], code: str) -> None:
    assert refused(tmp_path, proxy=proxy).code == code
