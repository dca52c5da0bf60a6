"""The machine's own sources of Debian, of either form that apt reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from debian.deb822 import Deb822

from railbed.effects import debian_sources
from railbed.effects.debian_sources import DEFAULT_KEYRING, debian_source, debian_sources_text
from railbed.errors import HostError

TWO = """\
# Of the site.
Types: deb
# http://snapshot.debian.org/archive/debian/20250520T000000Z
uris: http://mirror.example/debian
 http://other.example/debian
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/site.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
"""
"""Made in the form of sources.list(5): comments, names of fields in small letters and values over several lines are allowed."""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(debian_sources, "APT_DIR", tmp_path)
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def stanzas(text: str) -> list[dict[str, str]]:
    return [dict(one) for one in Deb822.iter_paragraphs(text, use_apt_pkg=False)]


def test_the_mirror_is_of_the_stanza_with_the_suite(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(TWO)
    assert debian_source("bookworm") == ("http://mirror.example/debian", Path("/usr/share/keyrings/site.gpg"))
    assert debian_source("bookworm-security")[1] == Path(DEFAULT_KEYRING)


def test_a_stanza_without_main_or_without_an_address_is_none(apt: Path) -> None:
    text = TWO.replace("main", "non-free").replace("URIs: http://security.example/debian-security\n", "")
    (apt / "sources.list.d/debian.sources").write_text(text)
    for suite in ("bookworm", "bookworm-security", "trixie"):
        with pytest.raises(HostError, match=f"no Debian {suite} mirror"):
            debian_source(suite)


def test_a_source_of_one_line_is_read(apt: Path) -> None:
    (apt / "sources.list").write_text("deb [arch=amd64] http://old.example/debian bookworm main\n")
    assert debian_source("bookworm") == ("http://old.example/debian", Path(DEFAULT_KEYRING))
    (one,) = stanzas(debian_sources_text("bookworm", "non-free"))
    assert one == {
        "Types": "deb", "URIs": "http://old.example/debian", "Suites": "bookworm bookworm-updates",
        "Components": "non-free", "Signed-By": DEFAULT_KEYRING,
    }  # fmt: skip


def test_sources_of_a_suite_come_with_its_updates_and_no_others(apt: Path) -> None:
    others = TWO.replace("bookworm", "trixie").replace(".example", ".elsewhere")
    (apt / "sources.list.d/debian.sources").write_text(f"{others}\n{TWO}")
    first, second = stanzas(debian_sources_text("bookworm"))
    assert (
        first["Suites"].split() == ["bookworm", "bookworm-updates"] and first["Components"] == "main contrib"
    )
    assert first["Signed-By"] == "/usr/share/keyrings/site.gpg" and second["Suites"] == "bookworm-security"
    assert [one["Components"] for one in stanzas(debian_sources_text("bookworm", "non-free"))] == [
        "non-free"
    ] * 2
