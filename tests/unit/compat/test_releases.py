"""Locked releases: what a machine gets of them, that they are consistent, and how a copy of each part is checked."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from railbed import catalog
from railbed.catalog import Component, Key, Release, Repository, Source
from railbed.software import compat
from railbed.software.compat.problem import Wanted

RELEASES = catalog.keys("software")
RULES = catalog.load_rules()
SOURCE = Source(source="made for a test", checked="2026-11-24")
MACHINES = catalog.keys()
NEEDS_580 = {key for key in MACHINES if catalog.load_machine(key).gpu_architecture == "blackwell-ultra"}


def answer(release: str, machine: str, *filesystems: str, os: str = "") -> compat.Answer | compat.Conflict:
    taken, known = catalog.load_release(release), catalog.load_machine(machine)
    system = os or compat.system_of(taken, known)
    return compat.solve(compat.of_release(RULES, taken, known, system, filesystems))


def chosen(release: str, machine: str, *filesystems: str, os: str = "") -> dict[str, str]:
    taken, known = catalog.load_release(release), catalog.load_machine(machine)
    found = compat.select(taken, known, os or compat.system_of(taken, known), filesystems)
    return {name: part.version for name, part in found.items()}


def test_there_is_an_upgrade() -> None:
    assert len(RELEASES) >= 2
    drivers = [chosen(name, "metal/hgx-h100")["nvidia_driver"] for name in RELEASES]
    assert drivers == sorted(set(drivers))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("release", RELEASES)
def test_a_release_goes_with_each_machine_or_says_why_not(release: str, machine: str) -> None:
    filesystems = ["moosefs"] if machine.startswith("lab/") else ["lustre"]
    found = answer(release, machine, *filesystems)
    if release == "2026.11" and machine in NEEDS_580:
        assert isinstance(found, compat.Conflict)
        assert all(d.reason and d.source for d in found.demands)
    else:
        assert isinstance(found, compat.Answer), found


@pytest.mark.parametrize(
    ("machine", "processor"),
    [
        ("metal/hgx-b300", "x86_64"),
        ("metal/gb300-nvl72", "aarch64"),
        ("metal/hgx-b200", ""),
        ("aws/p5.48xlarge", ""),
    ],
)
def test_hpcx_goes_where_doca_goes(machine: str, processor: str) -> None:
    """By the hash that is published of the processor's own archive; no package, so that apt's transaction stays DOCA's."""
    found = chosen("2026.12", machine)
    assert ("hpcx" in found) is ("ofed" in found) is bool(processor)
    release, facts = catalog.load_release("2026.12"), catalog.load_machine(machine)
    of = [
        one
        for one in release.alternatives("hpcx")
        if one.when["machine.cpu_architecture"] == facts.cpu_architecture
    ]
    (one,) = of
    if processor:
        assert one.url.endswith(f"-doca_ofed-ubuntu24.04-cuda13-{processor}.tbz") and len(one.sha256) == 64
        assert one.served_by == "built" and not one.node_packages


def test_parts_follow_transport_maker_system_and_filesystem() -> None:
    efa, ib = chosen("2026.11", "aws/p5.48xlarge", "lustre"), chosen("2026.11", "metal/hgx-h100-ib")
    assert (efa["net_plugin"], efa["libfabric"], efa["openmpi"]) == ("1.16.3", "2.1.0amzn5.0", "4.1.7")
    assert efa["lustre_client"] == "of the kernel"
    assert ib["openmpi"] == "4.1.6"
    assert not {"efa_installer", "net_plugin", "gib", "lustre_client", "moosefs", "ofed"} & ib.keys()
    new = chosen("2026.12", "metal/hgx-b300", "lustre")
    assert (new["ofed"], new["openmpi"], new["lustre_client"]) == ("25.10", "4.1.9", "2.17.0")
    google = chosen("2026.12", "gcp/a4-highgpu-8g")
    assert google["gib"] == "1.1.2" and "ofed" not in google
    rack = chosen("2026.12", "metal/gb300-nvl72")
    assert rack["imex"] == rack["nvidia_driver"]
    assert not {"fabric_manager", "nvlsm"} & rack.keys()
    board = chosen("2026.12", "metal/hgx-b200")
    assert board["fabric_manager"] == board["nvidia_driver"] and board["nvlsm"] == "2025.10.11"
    assert isinstance(answer("2026.12", "metal/hgx-b300", os="debian 12"), compat.Conflict), "no DOCA there"
    assert chosen("2026.12", "metal/hgx-h100", "ceph", os="debian 12")["ceph_client"] == "16.2.15"


def test_the_lab_gets_what_its_repository_carries() -> None:
    from railbed.effects.lab.vendor import stand_ins

    release, machine = catalog.load_release("2026.11"), catalog.load_machine("lab/rail8")
    assert compat.system_of(release, machine) == "debian 12"
    found = compat.select(release, machine, "debian 12", ["moosefs"])
    assert {name for name, part in found.items() if part.in_lab} == {
        "nvidia_driver", "slurm", "munge", "openmpi", "moosefs", "chrony", "iperf3", "node_exporter", "python", "torch",
        "fabric_manager", "prometheus", "cuda", "dcgm", "container_toolkit", "enroot", "pyxis", "nccl", "pmix",
        "nccl_tests",
    }  # fmt: skip
    assert found["nvidia_driver"].version in {one.program for one in stand_ins([release])}


def test_what_a_release_has_not_is_named_by_the_rule_that_needs_it() -> None:
    release, machine = catalog.load_release("2026.11"), catalog.load_machine("aws/p5.48xlarge")
    without = release.model_copy(
        update={"components": {n: p for n, p in release.components.items() if n != "net_plugin"}}
    )
    found = compat.solve(compat.of_release(RULES, without, machine, "ubuntu 24.04"))
    assert isinstance(found, compat.Conflict)
    assert {d.demand for d in found.demands} == {"net_plugin=none", "efa-needs-the-plugin"}
    assert any("release 2026.11 has no net_plugin" in d.reason for d in found.demands)


def test_a_client_on_a_system_without_one_and_a_wish_over_a_release() -> None:
    found = answer("2026.11", "metal/hgx-h100", "lustre", os="debian 12")
    assert isinstance(found, compat.Conflict)
    assert {d.demand for d in found.demands} == {"lustre_client=2.16.1", "no-lustre-on-debian-12"}
    release, machine = catalog.load_release("2026.11"), catalog.load_machine("metal/hgx-h100")
    other = compat.solve(
        compat.of_release(
            RULES, release, machine, "ubuntu 24.04", [], [Wanted("fabric_manager", "565.57.01")]
        )
    )
    assert isinstance(other, compat.Conflict)
    assert {d.demand for d in other.demands} == {
        "fabric_manager=565.57.01", "nvidia_driver=570.124.06", "fabric-manager-is-of-the-driver-s-version",
    }  # fmt: skip


def test_every_part_has_traits_and_a_way_to_check_it_or_says_there_is_none() -> None:
    traits = {name: trait for file in RULES for name, trait in file.components.items()}
    for key in RELEASES:
        release = catalog.load_release(key)
        assert set(release.components) - {"os"} <= set(traits)
        for name in release.components:
            for part in release.alternatives(name):
                assert not part.url or part.sha256 or part.signature or part.unverifiable or part.unpinned
                assert not part.repository or release.repositories_of(part.repository)
    known = {name for key in RELEASES for name in catalog.load_release(key).components}
    assert {name for trait in traits.values() for name in trait.rebuilds} <= known


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fingerprints": []}, "unpinned"),
        ({"fingerprints": ["0" * 40], "unpinned": "none"}, "unpinned"),
        ({"fingerprints": ["0" * 39]}, "40 digits"),
    ],
)
def test_a_key_has_fingerprints_or_says_why_not(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Key(url="https://example.org/key", provenance=SOURCE, **given)


@pytest.mark.parametrize("given", [{"suite": "noble"}, {"suite": "./", "components": ["main"]}])
def test_a_suite_has_components_and_a_flat_repository_none(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="components"):
        Repository(url="https://example.org/", signing_key="k", provenance=SOURCE, **given)


BASE: dict[str, Any] = {"version": "1.0", "reason": "made for a test", "provenance": SOURCE}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"url": "https://example.org/a"}, "unverifiable"),
        ({"url": "https://example.org/a", "sha256": "0" * 64, "unverifiable": "none"}, "unverifiable"),
        ({"url": "https://example.org/a", "signature": "https://example.org/a.sig"}, "signing key"),
        ({"sha256": "0" * 64}, "needs the url"),
        ({"sha256": "0" * 63}, "pattern"),
        ({"url": "ftp://example.org/a", "unverifiable": "none"}, "pattern"),
        ({"repository": "cuda", "package": "a"}, "package_version"),
        ({"repository": "cuda"}, "installs"),
        ({"url": "https://example.org/a", "unpinned": "none", "unverifiable": "none"}, "unpinned"),
        ({"built": True}, "url"),
        ({"optional": True}, "only what nodes build"),
        ({"purl": "torch"}, "pattern"),
        ({"colour": "red"}, "Extra"),
    ],
)
def test_a_component_that_does_not_hold_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Component(**{**BASE, **changed})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"components": {"cuda": Component(**BASE)}}, "'os'"),
        (
            {"components": {"os": Component(**BASE), "a": Component(**BASE, package="a", package_version="1", repository="b")}},
            "repositories",
        ),
        (
            {"components": {"os": Component(**BASE), "a": Component(**BASE, url="https://example.org/a",
                                                                    signature="https://example.org/b", signing_key="k")}},
            "`keys` has no k",
        ),
    ],
)  # fmt: skip
def test_a_release_that_names_what_it_has_not_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Release(key="1", title="one", training_stack_path="/opt", **changed)


def test_doca_goes_where_connectx_8_is_and_nowhere_else() -> None:
    machines = [catalog.load_machine(key) for key in catalog.keys("machines")]
    for name in catalog.keys("software"):
        given = {
            one.key
            for one in machines
            if "ofed" in compat.select(catalog.load_release(name), one, "ubuntu 24.04")
        }
        assert given == {one.key for one in machines if one.nic_kind == "connectx-8"}, name
    assert {"azure/Standard_ND128isr_GB300_v6", "oci/BM.GPU.GB300.4", "gcp/a4x-maxgpu-4g-metal"} <= given
