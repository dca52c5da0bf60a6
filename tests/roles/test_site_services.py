"""Roles of a site's services, with their real modules on copies of /etc."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.roles.apart import Site

SERVERS = {"resolver_servers": ["10.0.0.53", "fd00::53"], "resolver_search": ["corp.example"]}
DROP_IN = "etc/systemd/resolved.conf.d/90-railbed.conf"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Nothing asked for; servers on a plain file, of a provider, behind another program, with systemd-resolved; taken back."""
    site = Site(tmp_path_factory.mktemp("names"), "resolver")
    site.units({"systemd-resolved.service": ["loaded", "active", "enabled"]})
    keep = "mkdir -p {0}; cp -a etc/resolv.conf done {0}/; : > done"
    site.run(
        ": > done; echo 'nameserver 192.0.2.1' > etc/resolv.conf",
        site.step("untouched", {}), keep.format(1),
        site.step("refused", {**SERVERS, "resolver_provided": True}), keep.format(2),
        site.step("plain", SERVERS), keep.format(3), site.step("again", SERVERS),
        "ln -sf ../run/NetworkManager/resolv.conf etc/resolv.conf", site.step("other", SERVERS), keep.format(4),
        "ln -sf ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
        site.step("resolved", {**SERVERS, "resolver_provided": True}), keep.format(5), f"cp {DROP_IN} drop-in",
        site.step("back", {}), keep.format(6), f"if [ -e {DROP_IN} ]; then touch left; fi",
    )  # fmt: skip
    return site


def text(site: Site, path: str) -> str:
    return (site.folder / path).read_text()


def test_without_servers_and_where_somebody_else_keeps_the_file_nothing_is_touched(names: Site) -> None:
    assert not names.failed("untouched") and not names.changed("untouched"), names.out("untouched")
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
