"""The release of a stack file is changed, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from railbed.errors import SpecError
from railbed.spec import with_release

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_only_the_release_changes(path: Path) -> None:
    text = path.read_text()
    changed = with_release(text, "2031.07", path.name)
    before, after = text.splitlines(), changed.splitlines()
    differing = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert len(differing) == 1, "one line, and every comment is where it was"
    assert yaml.safe_load(changed)["config"]["railbed:cluster"]["software"]["release"] == "2031.07"


@pytest.mark.parametrize("text", ["", "config: {}", "config: {railbed:cluster: {software: 3}}", "- a"])
def test_a_file_without_a_release_is_left_alone(text: str) -> None:
    with pytest.raises(SpecError, match=r"software\.release"):
        with_release(text, "2026.12", "Pulumi.x.yaml")
