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


def test_a_pool_with_the_platform_s_image_and_its_own_profile_is_looked_at_by_that() -> None:
    plan = cases.planned(cases.example("aws-cluster"))
    assert isinstance(plan.place, CloudPlatform)
    own = plan.place.image
    pools = [
        plan.pools[0].model_copy(update={"name": name, "image": image, "profile": profile})
        for name, image, profile in (
            ("same", "", own.profile), ("other", own.id, "aws-dlami"), ("baked", "ami-1", own.profile),
        )
    ]  # fmt: skip
    looked = [
        (at.image.id, at.image.profile, [pool.name for pool in about.pools])
        for about, at in images.each(plan.model_copy(update={"pools": pools}), plan.place)
    ]
    assert own.profile != "aws-dlami" and looked == [
        (own.id, own.profile, ["same"]), (own.id, "aws-dlami", ["other"]), ("ami-1", own.profile, ["baked"]),
    ]  # fmt: skip


def test_a_pool_without_one_is_as_before(workdir: Path) -> None:
    assert "image" not in cases.planned(cases.example("aws-cluster")).as_json()["pools"][0]


AMI = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20260915"
FAMILY = "ubuntu-accelerator-2404-amd64-with-nvidia-580"


@pytest.mark.parametrize(
    ("kind", "profile", "names", "says"),
    [
        ("aws", "aws-dlami", [AMI], True), ("aws", "aws-dlami", [AMI.replace("24.04", "22.04")], "no name that"),
        ("aws", "stock", [AMI], "the name of a aws-dlami"), ("aws", "stock", ["ubuntu-noble-24.04-amd64-server"], None),
        ("aws", "aws-dlami", [""], None), ("gcp", "google-accelerator", ["copy-of-it", FAMILY], True),
        ("gcp", "google-accelerator", [f"{FAMILY}-v20260820"], True),
        ("gcp", "google-accelerator", [FAMILY.replace("580", "570")], "nvidia_driver 570, the profile takes >=580"),
        ("gcp", "google-accelerator", [FAMILY.replace("580", "610")], "nvidia_driver 610"),
        ("azure", "azure-hpc", ["microsoft-dsvm:ubuntu-hpc:2404:24.04.2026052601"], True),
        ("azure", "azure-hpc", ["microsoft-dsvm:ubuntu-hpc:2204:22.04.2026052601"], "no name that"),
    ],
)  # fmt: skip
def test_an_image_s_name_is_compared_with_its_profile(
    kind: str, profile: str, names: list[str], says: str | bool | None
) -> None:
    """A version out of range stops; another name is advice, as a copy may be called anything."""
    plan = cases.planned(cases.example(f"{kind}-cluster"))
    assert isinstance(plan.place, CloudPlatform)
    image = plan.place.image.model_copy(update={"profile": profile})
    found = images.compared(plan.place.model_copy(update={"image": image}), names)
    if says is None:
        assert found == []
        return
    (finding,) = found
    assert finding.ok is (says is True) and finding.needed is (says is True or "nvidia_driver" in str(says))
    assert says is True or str(says) in finding.found
