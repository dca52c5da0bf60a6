"""A vendor's key is fetched once in a while, and is never another than the release names."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.effects.test_mirror import Site

from railbed.defaults import PUBLISHED_KEY_AGE_S
from railbed.effects.download import FetchError
from railbed.effects.openpgp import KeyRefused
from railbed.effects.publishers import armoured

KEY = (Path(__file__).parents[1] / "data/openpgp/mirror.asc").read_text()
FINGERPRINT = "580CBAC7DFB05A91941864000995C39870050A04"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.files["/key.asc"] = KEY.encode()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_it_is_fetched_once_and_again_when_it_is_old(site: Site, tmp_path: Path) -> None:
    keys, url = tmp_path / "keys", f"{site.url}/key.asc"
    assert armoured(keys, url, FINGERPRINT) == KEY
    assert armoured(keys, url, FINGERPRINT) == KEY
    assert site.asked == ["/key.asc"]
    (kept,) = keys.iterdir()
    long_ago = time.time() - PUBLISHED_KEY_AGE_S - 1
    os.utime(kept, (long_ago, long_ago))
    assert armoured(keys, url, FINGERPRINT) == KEY
    assert len(site.asked) == 2
    os.utime(kept, (long_ago, long_ago))
    del site.files["/key.asc"]
    assert armoured(keys, url, FINGERPRINT) == KEY, "an old copy is better than none"


def test_another_key_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    for text in (KEY + KEY, KEY[: len(KEY) // 2], "no key", KEY.replace("mQ", "mR")):
        site.files["/key.asc"] = text.encode()
        with pytest.raises(KeyRefused, match="not the one"):
            armoured(tmp_path / "keys", f"{site.url}/key.asc", FINGERPRINT)
    assert list((tmp_path / "keys").iterdir()) == []


def test_only_the_key_is_kept_of_a_page_around_it(site: Site, tmp_path: Path) -> None:
    site.files["/key.asc"] = f"The key\r\n{KEY}Thank you.".encode()
    assert armoured(tmp_path / "keys", f"{site.url}/key.asc", FINGERPRINT) == KEY
    (kept,) = (tmp_path / "keys").iterdir()
    assert kept.read_text() == KEY


def test_a_copy_that_somebody_changed_does_not_count(site: Site, tmp_path: Path) -> None:
    keys, url = tmp_path / "keys", f"{site.url}/key.asc"
    armoured(keys, url, FINGERPRINT)
    (kept,) = keys.iterdir()
    kept.write_text("another")
    assert armoured(keys, url, FINGERPRINT) == KEY == kept.read_text()


def test_without_a_network_the_way_round_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FetchError) as failed:
        armoured(tmp_path / "keys", f"{site.url}/nothing", FINGERPRINT)
    assert "software.mirror" in failed.value.hint
