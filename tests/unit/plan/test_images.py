"""Image profiles: what an image brings is not asked for, has a range, and is refused where it does not go with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import catalog, plan, spec
from railbed.errors import SpecError, Unsupported, UsageError
from railbed.plan import node_classes
from railbed.plan.node_classes import Cluster, Kind, PlannedClass
from railbed.plan.software import SoftwareConflict

ROOT = Path(__file__).resolve().parents[3]
NAMES = catalog.keys("images")
H100 = "azure/Standard_ND96isr_H100_v5"
OVERLAY = """
title: an image of a site
sources: {{a: {{source: "fabricated for a test", checked: 2026-11-30}}}}
parts:
  brings:
    nvidia_driver: {{at_least: "{least}", below: "{below}", module: nvidia, reason: the site's own, source: a}}
"""


def data(example: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())
    found: dict[str, Any] = read["config"]["railbed:cluster"]
    return found


def made(example: str, image: Any = None, pool: Any = None, **changed: Any) -> plan.ClusterPlan:
    wanted = {**data(example), **changed}
    if image is not None:
        wanted["platform"] = {**wanted["platform"], "image": image}
    if pool is not None:
        wanted["pools"] = [{**wanted["pools"][0], "image": pool}, *wanted["pools"][1:]]
    return plan.plan(spec.from_config(wanted, "x"))


def of(profile: str, machine: str = H100, release: str = "2026.12", **changed: Any) -> PlannedClass:
    known, facts = catalog.load_release(release), catalog.load_machine(machine)
    given = {
        "release": known, "os": "ubuntu 24.04", "installed": frozenset(known.components), "scheduler": "slurm",
        "mounts": frozenset({"lustre"}), "imds": True, "hosts": "machine", "vendor": facts.vendor, **changed,
    }  # fmt: skip
    return node_classes.of(Kind("compute", machine, rails=True, image=profile), facts, Cluster(**given))


def test_a_plain_id_is_an_image_of_the_distribution() -> None:
    plain = made("aws-flagship", image="ami-1")
    assert plain.pools[0].profile == plain.profile == catalog.STOCK and not plain.pools[0].brings
    assert "image_profile" not in plain.as_json()["pools"][0]
    whole = made("aws-flagship", image={"id": "ami-1"})
    assert whole.model_dump(exclude={"spec_hash"}) == plain.model_dump(exclude={"spec_hash"})


def test_a_pools_profile_is_its_own_or_the_platforms() -> None:
    assert made("azure-cluster").pools[0].profile == "azure-hpc"
    own = made("azure-cluster", pool="baked")
    assert (own.pools[0].image, own.pools[0].profile, own.profile) == ("baked", "stock", "azure-hpc")
    assert made("azure-cluster", pool={"profile": "railbed", "id": "b"}).pools[0].profile == "railbed"
    assert made("azure-cluster", pool={"profile": "railbed"}).pools[0].image == "", "the platform's own id"


@pytest.mark.parametrize(
    "image", [{"profile": "azure-hpc"}, {"id": "x", "kind": "y"}, {"id": "two words"}, 7]
)
def test_what_is_no_image_is_a_clear_error(image: Any) -> None:
    with pytest.raises(SpecError) as refused:
        made("azure-cluster", image=image)
    assert ".platform.image" in str(refused.value.path)


def test_metal_takes_a_profile_and_no_id() -> None:
    assert made("metal-cluster", pool={"profile": "railbed"}).pools[0].profile == "railbed"
    with pytest.raises(Unsupported, match="image of a pool"):
        made("metal-cluster", pool={"profile": "railbed", "id": "disk"})


@pytest.mark.parametrize(
    ("example", "profile", "reason"),
    [
        ("gcp-cluster", "azure-hpc", "google-accelerator"),
        ("azure-cluster", "azure-hcp", "did you mean azure-hpc"),
    ],
)
def test_a_profile_that_is_not_for_the_machines_is_named_with_those_that_are(
    example: str, profile: str, reason: str
) -> None:
    with pytest.raises(UsageError) as refused:
        made(example, image={"profile": profile, "id": "x"})
    assert refused.value.code == "IMAGE_PROFILE" and reason in refused.value.hint
    assert refused.value.path.endswith("platform.image.profile")


def test_nothing_is_asked_of_what_the_image_brings_and_the_groups_stay() -> None:
    stock, image = of("stock"), of("azure-hpc")
    brought = image.image.brings
    assert {"nvidia_driver", "fabric_manager", "ofed", "openmpi", "lustre_client", "kernel"} <= set(brought)
    assert not brought.keys() & image.components.keys()
    gone = stock.packages.keys() - image.packages.keys()
    assert {
        "nvidia-open",
        "nvidia-driver-pinning-595.71.05",
        "openmpi-bin",
        "libopenmpi-dev",
        "rdma-core",
    } <= gone
    assert not [
        name for name in image.packages if "openmpi" in name or "fabricmanager" in name or "amlfs" in name
    ]
    assert image.packages["enroot"] and "slurmd" in image.packages, "the release fills the rest"
    assert set(stock.groups) - set(image.groups) == {"perftest_nodes", "gdrcopy_nodes"}, "built nowhere twice"
    assert brought["gdrcopy"].packages == ["gdrdrv-dkms"] and "gdrcopy" not in image.components
    assert "image_nodes" in image.groups
    assert "image_nodes" not in stock.groups and not stock.image.holds
    assert image.name == f"compute/{H100}/image-azure-hpc" and stock.name == f"compute/{H100}"


def test_a_controller_takes_from_the_image_what_it_gets_and_no_more() -> None:
    known = catalog.load_release("2026.12")
    cluster = Cluster(
        release=known, os="ubuntu 24.04", installed=frozenset(known.components), scheduler="slurm",
        mounts=frozenset({"lustre"}), imds=True, hosts="machine", vendor="azure",
    )  # fmt: skip
    found = node_classes.of(Kind("controller", first_controller=True, image="azure-hpc"), None, cluster)
    assert set(found.image.brings) == {"kernel", "lustre_client"} and not found.image.names_devices


def test_what_must_have_the_drivers_version_follows_the_one_of_the_image() -> None:
    found = of("google-accelerator", "gcp/a3-ultragpu-8g")
    assert found.packages["nvidia-fabricmanager"] == node_classes.OF_THE_DRIVER
    assert found.image.follows == {"fabric_manager": ">=580, <600"} and "nvswitch_nodes" in found.groups
    assert "fabric_manager" not in found.components, "the release's version is not the node's"


def test_amazons_image_brings_its_subnet_manager_and_its_imex_follows_the_driver() -> None:
    b200 = of("aws-dlami", "aws/p6-b200.48xlarge")
    assert "nvlsm" in b200.image.brings and "nvlsm" not in b200.packages
    rack = of("aws-dlami", "aws/p6e-gb200.36xlarge")
    assert rack.packages["nvidia-imex"] == node_classes.OF_THE_DRIVER and "imex_nodes" in rack.groups


def test_drives_that_the_image_joins_are_left_to_it() -> None:
    machine = "aws/p5.48xlarge"
    assert "scratch_nodes" in of("stock", machine).groups
    assert "scratch_nodes" not in of("aws-dlami", machine).groups


def test_sources_of_an_image_stay_only_where_no_mirror_is_the_only_one() -> None:
    assert of("azure-hpc").image.apt_sources == ["amlfs.list"]
    assert of("azure-hpc", image_sources=False).image.apt_sources == []


def test_a_source_is_needed_only_for_what_some_image_lacks() -> None:
    def names(**changed: Any) -> set[str]:
        return {one.name for one in made("azure-cluster", **changed).software.repositories}

    plain = "microsoft-dsvm:ubuntu-hpc:2404:latest"
    assert "lustre_microsoft" in names(image=plain) and "lustre_microsoft" not in names()
    mixed = names(pool={"profile": "stock", "id": "plain"})
    assert "lustre_microsoft" in mixed, "one pool lacks it"


def test_nodes_of_a_baked_image_keep_the_sources_that_repair_them() -> None:
    baked = made("azure-cluster", image={"profile": "railbed", "id": "baked"})
    stock = made("azure-cluster", image={"profile": "stock", "id": "plain"})
    assert baked.software.repositories == stock.software.repositories != []
    assert baked.archives == stock.archives


def test_claims_name_the_range_of_the_image() -> None:
    statements = {claim.id: claim.statement for claim in made("azure-cluster").claims}
    assert ">=580, <600 (from the image)" in statements["node.driver"]
    assert "570.124.06" in {c.id: c.statement for c in made("metal-cluster").claims}["node.driver"]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "images").mkdir()
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path))
    return tmp_path / "images/site.yaml"


@pytest.mark.parametrize(
    ("least", "below", "goes"), [("570", "575", False), ("570", "600", True), ("580", "", True)]
)
def test_a_release_whose_torch_needs_a_newer_driver_than_the_image_can_have_is_a_conflict(
    own: Path, least: str, below: str, goes: bool
) -> None:
    own.write_text(OVERLAY.format(least=least, below=below))
    wanted = {"pool": {"profile": "site"}, "software": {"release": "2026.12"}}
    if goes:
        assert made("metal-cluster", **wanted).pools[0].profile == "site"
        return
    with pytest.raises(SoftwareConflict) as refused:
        made("metal-cluster", **wanted)
    reason = " ".join(map(str, refused.value.found))
    assert (
        "profile site" in refused.value.message and "image profile site" in reason and ">=570, <575" in reason
    )


def test_the_plan_says_what_comes_from_where() -> None:
    (pool,) = made("azure-cluster").as_json()["pools"]
    assert pool["image_profile"] == "azure-hpc" and pool["brings"]["nvidia_driver"] == ">=580, <600"
    assert "enroot" in pool["fills"] and not set(pool["fills"]) & set(pool["brings"])


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_names_components_and_packages_of_a_release(name: str) -> None:
    profile = catalog.load_image(name)
    releases = [catalog.load_release(key) for key in catalog.keys("software")]
    parts = {part for release in releases for part in release.components}
    assert profile.brings.keys() | profile.follows.keys() <= parts
    assert profile.published or name == "stock", "an image of it has a name"


def test_modules_of_the_distribution_need_an_image_that_brings_the_driver() -> None:
    """The release's driver is built on the node, is loaded before the image's, and nobody signed it."""
    software = {**data("azure-cluster")["software"], "module_signing": {"kind": "signed"}}
    assert made("azure-cluster", software=software).software.secure_boot == "signed"
    with pytest.raises(Unsupported, match="brings no driver"):
        made(
            "metal-cluster",
            software={**data("metal-cluster")["software"], "module_signing": {"kind": "signed"}},
        )


def test_a_doubt_about_an_image_is_said_where_the_cluster_wants_that_part() -> None:
    def doubts(example: str, **changed: object) -> list[str]:
        return [one.message for one in made(example, **changed).warnings if one.code == "IMAGE_DOUBT"]

    image = {"profile": "aws-dlami", "id": "ami-0123456789abcdef0"}
    (lustre,) = doubts("aws-flagship", image=image)
    assert "lustre_client" in lustre and "kernel 7.0" in lustre
    assert doubts("aws-flagship", image={"profile": "stock", "id": image["id"]}) == []
    assert doubts("aws-hosts", image=image) == [], "it mounts no Lustre"
    (fabric,) = doubts("gcp-cluster")
    assert "fabric_manager" in fabric and "nvidia-fabricmanager-580" in fabric


def test_a_doubt_is_said_at_the_pool_that_names_the_profile() -> None:
    asked = data("gcp-cluster")
    image = asked["platform"]["image"]
    stock = {**asked["platform"], "image": {**image, "profile": "stock"}}
    pools = [{**pool, "image": image} for pool in asked["pools"]]
    (one,) = [
        one for one in made("gcp-cluster", platform=stock, pools=pools).warnings if one.code == "IMAGE_DOUBT"
    ]
    assert one.path.endswith(".pools[0].image.profile")
    (one,) = [one for one in made("gcp-cluster").warnings if one.code == "IMAGE_DOUBT"]
    assert one.path.endswith(".platform.image.profile")
