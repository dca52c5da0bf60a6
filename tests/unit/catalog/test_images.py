"""Image profiles as files: what a profile must say, and the page that is made from them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from railbed import catalog
from railbed.catalog.images import Brought, ImageProfile

ROOT = Path(__file__).resolve().parents[3]
SOURCE = {"source": "fabricated for a test", "checked": "2026-11-30"}
PART = {"at_least": "580", "module": "nvidia", "reason": "for a test", "provenance": SOURCE}


def test_the_page_is_that_of_the_catalogue() -> None:
    spec = importlib.util.spec_from_file_location("images_reference", ROOT / "tools/images_reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run .venv/bin/python tools/images_reference.py"


def test_a_part_says_where_its_version_is_shown() -> None:
    assert Brought.model_validate(PART).accepts == ">=580"
    assert Brought.model_validate({**PART, "below": "600"}).accepts == ">=580, <600"


@pytest.mark.parametrize(
    "changed",
    [
        {"module": ""},
        {"kernel": True},
        {"file": "/x"},
        {"packages": ["a"]},
        {"holds": ["$(reboot)"]},
        {"below": "<6"},
    ],
)
def test_a_part_without_one_way_to_show_it_or_with_bad_words_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Brought.model_validate({**PART, **changed})


def test_what_follows_needs_a_driver_and_nothing_is_said_twice() -> None:
    kept = {"reason": "for a test", "provenance": SOURCE}
    whole = {"key": "x", "title": "x", "brings": {catalog.DRIVER: PART}}
    assert ImageProfile.model_validate({**whole, "follows": {"imex": {**kept, "packages": ["a"]}}}).follows
    with pytest.raises(ValidationError, match="no driver"):
        ImageProfile.model_validate({**whole, "brings": {}, "follows": {"imex": {**kept, "packages": ["a"]}}})
    with pytest.raises(ValidationError, match="too"):
        ImageProfile.model_validate({**whole, "not_asked": {catalog.DRIVER: kept}})
