"""Rocky 9 of each release: what its rules allow, and what diff, sbom and mirror say of its packages."""

from __future__ import annotations

import json

import pytest
from tests.unit.compat.test_release_commands import call
from tests.unit.compat.test_releases import answer, chosen

from railbed import catalog
from railbed.software import compat
from railbed.software.artefacts import UNREAD, artefacts

ROCKY = "rocky 9"
RELEASES = catalog.keys("software")
MACHINES = (
    "metal/hgx-h100",
    "metal/hgx-h100-ib",
    "metal/hgx-b200",
    "aws/p5.48xlarge",
    "aws/p6-b200.48xlarge",
)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("release", RELEASES)
def test_a_release_goes_with_rocky_too(release: str, machine: str) -> None:
    found = answer(release, machine, "lustre", os=ROCKY)
    assert isinstance(found, compat.Answer), found
    parts = chosen(release, machine, os=ROCKY)
    assert parts["kernel"] == "5.14" and parts["fabric_manager"] == parts["nvidia_driver"]


def test_a_machine_that_needs_a_newer_driver_is_refused_there_as_well() -> None:
    found = answer("2026.11", "metal/hgx-b300", os=ROCKY)
    assert isinstance(found, compat.Conflict)
    assert any(d.demand.startswith("blackwell-ultra-needs") for d in found.demands)


def test_a_wrong_kernel_is_refused() -> None:
    release, machine = catalog.load_release("2026.12"), catalog.load_machine("metal/hgx-h100")
    wanted = [compat.problem.Wanted("kernel", "6.8")]
    found = compat.solve(compat.of_release(catalog.load_rules(), release, machine, ROCKY, [], wanted))
    assert isinstance(found, compat.Conflict)
    assert "kernel-of-rhel-9" in {d.demand for d in found.demands}


@pytest.mark.parametrize("release", RELEASES)
def test_no_debian_package_gets_there(release: str) -> None:
    taken, machine = catalog.load_release(release), catalog.load_machine("aws/p5.48xlarge")
    found = compat.select(taken, machine, ROCKY)
    assert found["nccl"].package == "libnccl" and found["nvidia_driver"].package_version.startswith("3:")
    assert not [name for name, part in found.items() if part.url.endswith(".deb")]
    assert not [
        name for name, part in found.items() if "ubuntu" in part.url.lower() and name != "dcgm_exporter"
    ]
    for part in found.values():
        repository = compat.repository_of(taken, part, machine, ROCKY) if part.repository else None
        assert repository is None or repository.format == "rpm"
        assert (repository is None) is (not part.repository), "every vendor's package has its repository"


def test_the_driver_s_packages_are_signed_one_by_one_and_the_toolkit_s_by_their_index() -> None:
    release = catalog.load_release("2026.12")
    signs = {
        name: {tuple(r.signs) for r in release.repositories_of(name) if r.format == "rpm"}
        for name in release.repositories
    }
    assert signs == {"cuda": {("packages",)}, "epel": {("packages",)}, "container_toolkit": {("index",)}}
    assert release.keys["cuda_rpm"].fingerprint.endswith("D42D0685")


def test_its_bill_of_materials_names_rpm_packages() -> None:
    code, text = call("sbom", "2026.12", "-m", "metal/hgx-h100", "--os", ROCKY)
    parts = {one["name"]: one for one in json.loads(text)["components"]}
    assert code == 0
    driver = parts["nvidia_driver"]["purl"]
    assert driver.startswith("pkg:rpm/nvidia/nvidia-open@595.71.05-1.el9?")
    assert "epoch=3" in driver and "distro=rocky-9" in driver and "repos/rhel9/x86_64" in driver
    assert parts["slurm"]["purl"].startswith("pkg:rpm/epel/slurm@22.05.9-1.el9?")
    names = {p["name"]: p["value"] for p in parts["container_toolkit"]["properties"]}
    assert names["railbed:signing-key"].startswith("C95B321B")


def test_an_upgrade_there_is_told_by_its_own_packages() -> None:
    code, text = call("diff", "2026.11", "2026.12", "-m", "metal/hgx-h100", "--os", ROCKY, "--json")
    changed = {one["component"]: one for one in json.loads(text)["changed"]}
    assert code == 0 and changed["nvidia_driver"]["after"] == "3:595.71.05-1.el9"
    assert not {"slurm", "kernel"} & changed.keys()


def test_the_mirror_says_that_it_reads_no_rpm_repository() -> None:
    code, text = call("mirror", "2026.12", "--dry-run", "-m", "metal/hgx-h100", "--os", ROCKY, "--json")
    found = {one["component"]: one for one in json.loads(text)["artefacts"]}
    assert code == 0 and found["nvidia_driver"]["kind"] == "refused"
    assert found["nvidia_driver"]["note"] == UNREAD
    assert found["nvidia_driver"]["package"] == "nvidia-open=3:595.71.05-1.el9"
    every = artefacts(catalog.load_release("2026.12"), None, "")
    assert {one.kind for one in every if "/rhel9/" in one.url or "/stable/rpm/" in one.url} == {"refused"}
