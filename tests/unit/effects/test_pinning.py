"""What nobody published a fingerprint of: shown first, recorded once a person confirmed it, and taken from then on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.unit.effects.test_mirror import Signer, Site, sha256, signers, site  # noqa: F401 - fixtures
from typer.testing import CliRunner

from railbed import catalog
from railbed.cli import software_commands
from railbed.effects import pinning
from railbed.effects.download import FetchError
from railbed.effects.openpgp import KeyRefused
from railbed.effects.pinning import Seen
from railbed.errors import UsageError

RELEASE = "2026.11"
FILE = b"a package"
DIGITS = "5" * 64
"""A hash that a reader of YAML would take for a number."""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv(catalog.OVERLAY, str(folder))
    return folder / f"pins/{RELEASE}.yaml"


def call(*words: str) -> tuple[int, dict[str, Any]]:
    app = typer.Typer()
    software_commands.register(app)
    done = CliRunner().invoke(app, ["software", "pin", RELEASE, *words, "--by", "ada", "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def published(
    site: Site,  # noqa: F811 - the fixture
    signers: tuple[Signer, Signer],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    """Two of the release's things, at addresses of the test."""
    site.files = {"/key.asc": signers[0].public, "/tool.deb": FILE}
    monkeypatch.setattr(
        pinning,
        "lacking",
        lambda _: {
            "doca": [("key", f"{site.url}/key.asc")],
            "enroot": [("file", f"{site.url}/tool.deb")],
        },
    )
    return site


def test_it_is_shown_first_and_nothing_is_recorded(own: Path, published: Site) -> None:
    code, found = call("doca", "enroot")
    assert code == 3 and found["pinned"] == [] and not own.exists()
    assert [one["kind"] for one in found["seen"]] == ["key", "file"]
    assert found["seen"][1]["values"] == [sha256(FILE)]


def test_what_is_confirmed_is_recorded_with_who_and_when(
    own: Path,
    published: Site,
    signers: tuple[Signer, Signer],  # noqa: F811 - the fixture
) -> None:
    assert call("doca", "enroot", "--confirm", sha256(FILE))[0] == 3
    assert call("doca", "--confirm", signers[0].fingerprint.lower())[0] == 0
    pins = catalog.loader.read_entry(own, str(own), RELEASE, catalog.pins.Pins)
    assert pins.keys["doca"].fingerprints == [signers[0].fingerprint] and pins.keys["doca"].by == "ada"
    (file,) = pins.files["enroot"]
    assert file.sha256 == sha256(FILE) and published.url in file.provenance.source


def test_the_release_takes_it(own: Path) -> None:
    before = catalog.load_release(RELEASE).alternatives("enroot")[0]
    assert before.unpinned
    one = Seen(name="enroot", kind="file", url=before.url, values=[DIGITS])
    pinning.record(own, [one], "ada", "2026-11-30")
    pinning.record(own, [one], "eve", "2026-12-01")
    assert catalog.load_release(RELEASE).alternatives("enroot")[0].sha256 == DIGITS
    assert own.read_text().count(DIGITS) == 1 and "ada" not in own.read_text()


def test_a_value_that_does_not_lie_there_is_refused(own: Path, published: Site) -> None:
    with pytest.raises(UsageError, match="is not what lies there"):
        call("enroot", "--confirm", "0" * 64)
    assert not own.exists()


def test_a_file_without_a_key_is_refused(own: Path, published: Site) -> None:
    published.files["/key.asc"] = b"<html>sign in</html>"
    with pytest.raises(KeyRefused, match="no public key"):
        call("doca", "--confirm", "0" * 40)
    published.cut.add("/tool.deb")
    with pytest.raises(FetchError, match="cut off"):
        call("enroot", "--confirm", "0" * 64)
    assert not own.exists()


def test_only_what_lacks_a_pin_can_be_pinned(own: Path) -> None:
    with pytest.raises(UsageError, match="lacks no fingerprint") as refused:
        call("cuda")
    assert "enroot" in str(refused.value.allowed)


def test_a_site_needs_a_catalogue_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(catalog.OVERLAY, raising=False)
    with pytest.raises(UsageError, match="no catalogue of your own"):
        call("enroot")


def test_what_changed_since_is_refused_until_it_is_pinned_again_and_the_old_value_is_kept(
    own: Path, published: Site
) -> None:
    assert call("enroot", "--confirm", sha256(FILE))[0] == 0
    assert call("enroot")[0] == 0, "what is pinned and as it was asks for nothing"
    published.files["/tool.deb"] = other = b"another package"
    for words in ((), ("--confirm", sha256(other))):
        with pytest.raises(UsageError) as refused:
            call("enroot", *words)
        assert (refused.value.code, refused.value.found, refused.value.allowed) == (
            "PIN_CHANGED",
            [sha256(other)],
            [sha256(FILE)],
        )
    before = own.read_text()
    assert call("enroot", "--again")[0] == 3 and own.read_text() == before, "shown first"
    assert call("enroot", "--again", "--confirm", sha256(other))[0] == 0
    pins = catalog.loader.read_entry(own, str(own), RELEASE, catalog.pins.Pins)
    (file,) = pins.files["enroot"]
    (former,) = file.before
    assert file.sha256 == sha256(other) and former.values == [sha256(FILE)] and former.by == "ada"
    assert former.replaced == file.provenance.checked


def test_another_key_of_the_same_file_takes_no_pins_place_by_itself(
    own: Path,
    published: Site,
    signers: tuple[Signer, Signer],  # noqa: F811 - the fixture
) -> None:
    first, second = signers
    assert call("doca", "--confirm", first.fingerprint)[0] == 0
    published.files["/key.asc"] = first.public + second.public
    assert call("doca")[0] == 0
    with pytest.raises(UsageError, match="not what was pinned"):
        call("doca", "--confirm", second.fingerprint)
    assert call("doca", "--again", "--confirm", second.fingerprint)[0] == 0
    key = catalog.loader.read_entry(own, str(own), RELEASE, catalog.pins.Pins).keys["doca"]
    assert key.fingerprints == [second.fingerprint] and key.before[0].values == [first.fingerprint]
