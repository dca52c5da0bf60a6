"""Where packages come from: the distribution and the vendors whose packages were chosen, or the site's mirror of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import catalog, plan, spec
from railbed.errors import SpecError, Unsupported
from railbed.plan import sources as origins

ROOT = Path(__file__).resolve().parents[3]
KEY = (ROOT / "tests/unit/data/openpgp/mirror.asc").read_text()
FINGERPRINT = "580CBAC7DFB05A91941864000995C39870050A04"
MIRROR = {"url": "https://mirror.example.org/railbed", "key": KEY, "fingerprint": FINGERPRINT}
EXAMPLES = sorted(
    path.stem
    for path in (ROOT / "examples").glob("*.yaml")
    if not path.stem.startswith(("lab-", "kubernetes-"))
)
"""Of platforms whose nodes railbed installs from vendors."""


def example(name: str = "aws-cluster", **mirror: Any) -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(
        yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text())["config"]["railbed:cluster"]
    )
    if mirror:
        data["software"]["mirror"] = mirror
    return data


def sources(data: dict[str, Any]) -> list[plan.PlannedRepository]:
    return plan.plan(spec.from_config(data, "x")).software.repositories


@pytest.mark.parametrize("release", catalog.keys("software"))
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_asks_its_distribution_and_vendors_each_with_its_key(name: str, release: str) -> None:
    data = example(name)
    data["software"]["release"] = release
    known = catalog.load_release(release)
    first, *vendors = sources(data)
    assert (first.name, first.suite) == ("ubuntu 24.04", "noble noble-updates noble-security")
    assert (
        first.signed_by == "/usr/share/keyrings/ubuntu-archive-keyring.gpg" and "universe" in first.components
    )
    # An image may bring all that a vendor has.
    assert {one.name for one in vendors} >= (
        {"cuda"} if data["platform"]["kind"] not in ("azure", "oci") else set()
    )
    for one in vendors:
        assert one.fingerprint and not one.signed_by
        assert one.key_url in {key.url for key in known.keys.values() if key.fingerprint == one.fingerprint}
        assert (one.uri, one.suite, one.components) in [
            (repository.url, repository.suite, repository.components)
            for repository in known.repositories_of(one.name)
        ]


def test_arm_hosts_have_archives_of_their_own() -> None:
    arm = [key for key in catalog.keys("machines") if catalog.load_machine(key).cpu_architecture == "arm64"]
    data = example("metal-metal")
    data["pools"][0]["machine"] = next(key for key in arm if key.startswith("metal/gb200"))
    data["software"]["release"] = "2026.12"
    machine = catalog.load_machine(data["pools"][0]["machine"])
    data["fabric"] = {"rails": machine.rails, "node_gbps": machine.node_gbps}
    first, *vendors = sources(data)
    assert first.uri == "http://ports.ubuntu.com/ubuntu-ports/"
    assert any("sbsa" in one.uri for one in vendors)


@pytest.mark.parametrize(("system", "count"), [("debian 12", 2), ("ubuntu 24.04", 1)])
@pytest.mark.parametrize("name", ["metal-metal", "aws-hosts"])
def test_each_system_asks_its_own_archives(name: str, system: str, count: int) -> None:
    data = example(name)
    data["software"]["os"] = system
    data["filesystems"] = []
    planned = plan.plan(spec.from_config(data, "x")).software
    own, vendors = planned.repositories[:count], planned.repositories[count:]
    assert planned.versions["os"] == system
    assert [one.name for one in own] == [system] * count
    assert all(one.signed_by.startswith("/") for one in own)
    assert len({(one.name, one.uri) for one in planned.repositories}) == len(planned.repositories)
    assert vendors and all(one.suite and one.fingerprint and one.key_url for one in vendors)


@pytest.mark.parametrize(
    ("system", "hint"), [("debian 11", "debian 12"), ("ubuntu 22.04", "ubuntu 24.04"), ("rocky 9", "")]
)
def test_a_system_that_the_release_is_not_made_for_is_refused(system: str, hint: str) -> None:
    data = example()
    data["software"]["os"] = system
    with pytest.raises(SpecError) as refused:
        spec.from_config(data, "x")
    assert refused.value.path == "x.software.os" and "debian 12" in refused.value.allowed
    assert hint in str(refused.value.hint)


def test_a_lab_has_its_own_system() -> None:
    data = example("lab-cluster")
    data["software"]["os"] = "debian 12"
    assert plan.plan(spec.from_config(data, "x")).software.versions["os"] == "debian 12"
    data["software"]["os"] = "ubuntu 24.04"
    with pytest.raises(SpecError, match="lab"):
        spec.from_config(data, "x")


def test_a_mirror_takes_the_vendors_place_and_its_key_theirs() -> None:
    first, *vendors = sources(example(**MIRROR))
    assert first.uri == "http://archive.ubuntu.com/ubuntu/"
    assert {one.name for one in vendors} >= {one.name for one in sources(example())[1:]}
    for one in vendors:
        assert one.uri.startswith("https://mirror.example.org/railbed/apt/") and one.uri.endswith("/")
        assert (one.fingerprint, one.key_url, one.signed_by.strip()) == (FINGERPRINT, "", KEY.strip())
    assert plan.plan(spec.from_config(example(**MIRROR), "x")).software.mirrored
    assert not plan.plan(spec.from_config(example(), "x")).software.mirrored
    own = sources(example(**MIRROR, distribution="file:///srv/ubuntu/"))[0]
    assert own.uri == "file:///srv/ubuntu/"
    assert own.signed_by == first.signed_by and own.suite == first.suite


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"url": "http://mirror.example.org/"}, "url"),
        ({"url": "https://user:hunter2@mirror.example.org/"}, "url"),
        ({"url": "/srv/mirror"}, "url"),
        ({"fingerprint": FINGERPRINT[-16:]}, "fingerprint"),
        ({"key": "mirror.asc"}, "key"),
        ({"key": KEY.replace("PUBLIC", "PRIVATE")}, "key"),
        ({"kez": ""}, "kez"),
        ({"distribution": "http://mirror.example.org/ubuntu"}, "distribution"),
    ],
)
def test_a_mirror_that_cannot_be_trusted_is_refused(changed: dict[str, str], path: str) -> None:
    with pytest.raises(SpecError) as refused:
        spec.from_config(example(**{**MIRROR, **changed}), "x")
    assert (refused.value.path or "").startswith(f"x.software.mirror.{path}")
    assert "hunter2" not in str(refused.value.as_json())


def test_a_lab_has_its_own() -> None:
    assert sources(example("lab-cluster")) == []
    with pytest.raises(Unsupported, match="mirror"):
        sources(example("lab-cluster", **MIRROR))


def test_files_of_vendors_come_from_a_repository_of_the_clusters_own_or_the_mirrors() -> None:
    made = plan.plan(spec.from_config(example(), "x"))
    assert {one.component for one in made.archives} == {"efa_installer", "gdrcopy", "nccl_tests", "pyxis"}
    assert all(bool(one.fingerprint) is not one.built for one in made.archives)
    assert "local" not in {one.name for one in made.software.repositories}
    made = plan.plan(spec.from_config(example(**MIRROR), "x"))
    (local,) = [one for one in made.software.repositories if one.name == "local"]
    assert (local.uri, local.fingerprint) == (
        f"{MIRROR['url']}/apt/local/",
        FINGERPRINT,
    ) and made.archives == []
    made = plan.plan(spec.from_config(example("metal-cluster", **MIRROR), "x"))
    assert "local" not in {one.name for one in made.software.repositories}, "a mirror has sources as files"


@pytest.mark.parametrize("name", ["aws-cluster", "metal-cluster"])
def test_controllers_serve_the_wheels_of_the_training_stack_unless_a_mirror_has_them(name: str) -> None:
    made = plan.plan(spec.from_config(example(name), "x"))
    (wheels,) = made.wheels
    assert wheels.kind == "wheels" and wheels.version == made.software.versions["torch"]
    assert (wheels.python, wheels.system, wheels.architecture) == ("3.12.3", "ubuntu 24.04", "amd64")
    assert not made.software.wheels
    made = plan.plan(spec.from_config(example(name, **MIRROR), "x"))
    assert made.software.wheels == f"{MIRROR['url']}/wheels/{wheels.version}/index.html" and made.wheels == []


@pytest.mark.parametrize("name", ["lab-cluster", "aws-hosts", "metal-metal"])
def test_without_a_controller_and_in_a_lab_nobody_serves_wheels(name: str) -> None:
    assert plan.plan(spec.from_config(example(name), "x")).wheels == []


def test_wheels_are_for_each_kind_of_processor_that_the_image_brings_none_for() -> None:
    release = catalog.load_release("2026.12")
    machines = [
        catalog.load_machine(key) for key in ("metal/hgx-h100", "metal/gb200-nvl72", "metal/hgx-h100-ib")
    ]
    found = origins.wheel_sets(release, machines, [])
    assert sorted(one.architecture for one in found) == ["amd64", "arm64"]
    assert origins.wheel_sets(release, machines, [], brought={"torch"}) == []


def test_sources_that_nodes_build_come_from_the_clusters_own_repository_or_the_mirror() -> None:
    made = plan.plan(spec.from_config(example("metal-cluster"), "x"))
    built = {one.component for one in made.archives if one.built}
    assert built == {"gdrcopy", "nccl_tests", "perftest", "pyxis"}
    files = made.software.files
    assert files["perftest"].carried == "sources/perftest/perftest-25.10.0-0.128.gd01b183.tar.gz"
    assert files["pyxis"].url.startswith("https://github.com/") and files["pyxis"].sha256
    made = plan.plan(spec.from_config(example("metal-cluster", **MIRROR), "x"))
    assert made.software.files["pyxis"].url == f"{MIRROR['url']}/files/pyxis/v0.24.0.tar.gz"
    assert not made.software.files["pyxis"].carried


def test_only_sources_that_some_node_builds_are_fetched() -> None:
    def built(name: str, **changed: Any) -> set[str]:
        made = plan.plan(spec.from_config({**example(name), **changed}, "x"))
        return {one.component for one in made.archives if one.built}

    assert built("aws-hosts") == {"nccl_tests"}, "no scheduler and no rails"
    assert "perftest" not in built("azure-cluster"), "the image has DOCA-OFED, which brings its own"
    assert "perftest" in built("gcp-cluster"), "Google's cards are driven by the distribution's modules"
    assert not [name for name in ("azure-cluster", "gcp-cluster") if "gdrcopy" in built(name)]


def test_no_module_is_built_where_only_the_distributions_own_are_loaded() -> None:
    """The image has the driver: what nodes would build, a kernel in secure boot would not load."""
    for kind, there in (("off", True), ("signed", False)):
        other = example("oci-cluster")
        other["software"]["module_signing"] = {"kind": kind}
        made = plan.plan(spec.from_config(other, "x"))
        assert ("gdrcopy" in made.software.versions) is there
        assert ("node.gdrcopy" in {one.id for one in made.claims}) is there


@pytest.mark.parametrize("release", catalog.keys("software"))
def test_what_may_be_left_out_is_what_its_role_does_without(release: str) -> None:
    known = catalog.load_release(release)
    optional = {name for name in known.components for one in known.alternatives(name) if one.optional}
    roles = {
        path.parents[1].name
        for path in ROOT.glob("roles/*/tasks/*.yml")
        for task in yaml.safe_load(path.read_text()) or []
        if {**task.get("built", {}), **task.get("dkms", {})}.get("optional")
    }
    assert roles == {"gdrcopy", "perftest", "hpcx"}
    assert optional == (roles if release == "2026.12" else roles - {"hpcx"})
