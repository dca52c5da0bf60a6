"""A pool that names an image boots it, on every cloud; what is not in that pool keeps the platform's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.program.clouds import cases

KINDS = sorted(cases.views())
BAKED = {
    "azure": "/subscriptions/0/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/baked/versions/1.0.0"
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_pool_boots_the_image_that_it_names(
    kind: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cases.example(f"{kind}-cluster")
    image = BAKED.get(kind, "baked-0123456789ab")
    data["pools"][0]["image"] = image
    plan = cases.planned(data)
    assert plan.as_json()["pools"][0]["image"] == image
    inputs = json.dumps(
        [one.inputs for one in cases.run(cases.views()[kind], plan, monkeypatch).run.declared]
    )
    assert image.strip("/") in inputs
    assert data["platform"]["image"].strip("/") in inputs, "the controller's"


def test_a_pool_without_one_is_as_before(workdir: Path) -> None:
    assert "image" not in cases.planned(cases.example("aws-cluster")).as_json()["pools"][0]
