"""Name servers and proxies of a site: role base with its real modules on a copy of /etc."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.roles.apart import Site

HOST = {
    "base_name": "h100-0", "base_address": "10.90.0.11", "base_domain": "small.test", "base_identity": {},
    "base_hosts": {"h100-0": "10.90.0.11"},
}  # fmt: skip
SERVERS = {**HOST, "base_name_servers": ["10.0.0.53", "fd00::53"], "base_name_search": ["corp.example"]}
DROP_IN = "etc/systemd/resolved.conf.d/90-railbed.conf"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Nothing asked for; servers on a plain file, of a provider, behind another program, with systemd-resolved; taken back."""
    site = Site(tmp_path_factory.mktemp("names"), "base")
    site.units({"systemd-resolved.service": ["loaded", "active", "enabled"]})
    keep = "mkdir -p {0}; cp -a etc/resolv.conf done {0}/; : > done"
    site.run(
        ": > done; echo 'nameserver 192.0.2.1' > etc/resolv.conf",
        site.step("untouched", HOST), keep.format(1),
        site.step("refused", {**SERVERS, "base_names_provided": True}), keep.format(2),
        site.step("plain", SERVERS), keep.format(3), site.step("again", SERVERS),
        "ln -sf ../run/NetworkManager/resolv.conf etc/resolv.conf", site.step("other", SERVERS), keep.format(4),
        "ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
        site.step("resolved", {**SERVERS, "base_names_provided": True}), keep.format(5), f"cp {DROP_IN} drop-in",
        site.step("back", HOST), keep.format(6), f"if [ -e {DROP_IN} ]; then touch left; fi",
    )  # fmt: skip
    return site


def text(site: Site, path: str) -> str:
    return (site.folder / path).read_text()


def test_without_servers_and_where_somebody_else_keeps_the_file_nothing_is_touched(names: Site) -> None:
    assert not names.failed("untouched"), names.out("untouched")
    assert names.failed("refused") and "resolver of its own" in names.out("refused")
    assert text(names, "1/resolv.conf") == text(names, "2/resolv.conf") == "nameserver 192.0.2.1\n"
    assert names.failed("other") and "NetworkManager" in names.out("other")
    assert (names.folder / "4/resolv.conf").readlink() == Path("../run/NetworkManager/resolv.conf")


def test_a_plain_file_is_written_once(names: Site) -> None:
    assert not names.failed("plain"), names.out("plain")
    assert "nameserver 10.0.0.53\nnameserver fd00::53\nsearch corp.example\n" in text(names, "3/resolv.conf")
    assert not names.changed("again"), names.out("again")


def test_systemd_resolved_is_told_beside_its_links_and_forgets_it_again(names: Site) -> None:
    assert not names.failed("resolved"), names.out("resolved")
    assert (names.folder / "5/resolv.conf").is_symlink()
    assert "DNS=10.0.0.53 fd00::53\nDomains=corp.example\n" in text(names, "drop-in")
    assert "restart systemd-resolved.service" in text(names, "5/done")
    assert not names.failed("back"), names.out("back")
    assert not (names.folder / "left").exists() and "restart" in text(names, "6/done")


PROXY = {**HOST, "base_proxy_http": "http://proxy.test:3128", "base_proxy_https": "http://proxy.test:3128",
         "base_proxy_direct": ["localhost", ".small.test", "10.90.0.0/24", "mirror.test"]}  # fmt: skip
PATHS = ("etc/apt/apt.conf.d/90-railbed-proxy.conf", "etc/profile.d/90-railbed-proxy.sh",
         "etc/apt/auth.conf.d/90-railbed-proxy.conf")  # fmt: skip


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A proxy with a login, without one, and none."""
    site = Site(tmp_path_factory.mktemp("base"), "base")
    (site.folder / "login").write_text("node:hunter2\n")
    keep = "mkdir {0}; cp -a --parents etc/apt etc/profile.d {0}"
    site.run(
        site.step("login", {**PROXY, "base_proxy_login_file": str(site.folder / "login")}), keep.format(1),
        site.step("open", PROXY), keep.format(2), site.step("none", HOST), keep.format(3),
    )  # fmt: skip
    return site


def test_apt_and_logins_are_told_and_the_login_is_roots(proxy: Site) -> None:
    assert not proxy.failed("login"), proxy.out("login")
    apt, profile, login = (proxy.folder / "1" / path for path in PATHS)
    assert 'Acquire::https::Proxy "http://proxy.test:3128";' in apt.read_text()
    assert 'Acquire::http::Proxy::mirror.test "DIRECT";' in apt.read_text() and "10.90" not in apt.read_text()
    said = profile.read_text()
    assert "no_proxy='localhost,.small.test,10.90.0.0/24,mirror.test,h100-0,10.90.0.11'" in said, (
        "each node, by name too"
    )
    assert 'NO_PROXY="$no_proxy"' in said and 'no_grpc_proxy="$no_proxy"' in said
    assert "machine http://proxy.test:3128 login node password hunter2\n" in login.read_text()
    assert login.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in apt.read_text() + profile.read_text() + proxy.out("login")


def test_what_is_taken_back_is_gone(proxy: Site) -> None:
    assert [(proxy.folder / "2" / path).exists() for path in PATHS] == [True, True, False], proxy.out("open")
    assert [(proxy.folder / "3" / path).exists() for path in PATHS] == [False] * 3, proxy.out("none")
