"""A pool that names an image boots it, on every cloud; what is not in that pool keeps the platform's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.program.clouds import cases

from railbed.platforms.cloud import images
from railbed.spec.platforms import CloudPlatform

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
    own = data["platform"]["image"]
    words = (own["id"] if isinstance(own, dict) else own).strip("/").split(":")
    assert all(word in inputs for word in words), "the controller's, which Azure has in four parts"


@pytest.mark.parametrize(
    "named", [[None, None], ["baked", None], [None, "baked"], ["baked", "baked"], ["a", "b"]]
)
@pytest.mark.parametrize("kind", KINDS)
def test_preflight_looks_at_each_image_once_and_with_all_pools_that_take_it(
    kind: str, named: list[str | None]
) -> None:
    data = cases.example(f"{kind}-cluster")
    plan = cases.planned(data)
    assert isinstance(plan.place, CloudPlatform)
    first, own = plan.pools[0], plan.place.image.id
    pools = [
        first.model_copy(update={"name": f"p{i}", "image": image or ""}) for i, image in enumerate(named)
    ]
    looked = [
        (at.image.id, [pool.name for pool in about.pools])
        for about, at in images.each(plan.model_copy(update={"pools": pools}), plan.place)
    ]
    assert looked[0][0] == own, "the controllers have it"
    assert [image for image, _ in looked] == list(dict.fromkeys([own, *(image or own for image in named)]))
    for image, names in looked:
        takes = [f"p{i}" for i, one in enumerate(named) if (one or own) == image]
        assert names == (takes or ["p0", "p1"])


def test_a_pool_without_one_is_as_before(workdir: Path) -> None:
    assert "image" not in cases.planned(cases.example("aws-cluster")).as_json()["pools"][0]
