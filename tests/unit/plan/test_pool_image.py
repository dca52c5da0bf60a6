"""A pool's own machine image: in the plan where one is named, refused where machines are installed and not copied."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import SpecError, Unsupported

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def with_image(name: str, image: str) -> dict[str, Any]:
    data = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())["config"]["railbed:cluster"]
    changed: dict[str, Any] = copy.deepcopy(data)
    changed["pools"][0]["image"] = image
    return changed


def test_the_plan_shows_it() -> None:
    planned = plan.plan(spec.from_config(with_image("aws-cluster", "ami-0123456789abcdef0"), "test"))
    assert planned.pools[0].image == "ami-0123456789abcdef0"
    assert planned.as_json()["pools"][0]["image"] == "ami-0123456789abcdef0"


def test_metal_is_installed_and_has_none() -> None:
    with pytest.raises(Unsupported) as refused:
        plan.plan(spec.from_config(with_image("metal-cluster", "baked"), "test"))
    assert refused.value.path.endswith("pools[0].image") and "installer" in refused.value.hint


@pytest.mark.parametrize("image", ["", "two words", "$(reboot)", "a\nb"])
def test_what_no_provider_calls_an_image_is_refused(image: str) -> None:
    with pytest.raises(SpecError):
        spec.from_config(with_image("aws-cluster", image), "test")
