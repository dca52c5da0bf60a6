"""The plan refuses a release that does not go with its machines, with the conflict; every example passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import catalog, plan
from railbed import spec as specs
from railbed.plan import software

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_goes_with_its_release(file: Path) -> None:
    spec = specs.load(file)
    planned = plan.plan(spec).software
    assert planned.release == spec.software.release
    assert planned.versions["nvidia_driver"]


MOK = {"kind": "mok", "certificate_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("example", "signing", "warned"),
    [
        ("metal-cluster", {"kind": "off"}, False),
        ("metal-cluster", MOK, True),
        ("oci-cluster", MOK, True),
        ("gcp-cluster", MOK, False),
    ],
)
def test_bare_metal_in_secure_boot_is_told_what_lockdown_keeps_from_it(
    example: str, signing: dict[str, str], warned: bool
) -> None:
    data = yaml.safe_load((EXAMPLES[0].parent / f"{example}.yaml").read_text())["config"]["railbed:cluster"]
    data["software"]["module_signing"] = signing
    found = [one for one in plan.plan(specs.from_config(data, "x")).warnings if one.code == "LOCKDOWN"]
    assert [one.path for one in found] == ["railbed:cluster.software.module_signing"] * warned


def choose(release: str, machine: str, *filesystems: str) -> dict[str, Any]:
    known = [catalog.load_machine(machine)]
    return software.choose(catalog.load_release(release), known, list(filesystems), "file:railbed:cluster")


@pytest.mark.parametrize("machine", ["metal/hgx-b300", "metal/gb300-nvl72", "aws/p6-b300.48xlarge"])
def test_a_machine_that_needs_a_newer_branch_is_refused_with_its_release(machine: str) -> None:
    with pytest.raises(software.SoftwareConflict) as refused:
        choose("2026.11", machine)
    error = refused.value
    assert (error.code, int(error.exit_status)) == ("SOFTWARE_CONFLICT", 2)
    assert error.path == "file:railbed:cluster.software.release"
    assert len(error.found) == 2
    assert any("blackwell-ultra-needs" in line and "NVIDIA" in line for line in error.found)
    assert (error.allowed, error.hint) == (["2026.12"], "use release 2026.12")
    assert choose("2026.12", machine)["nvidia_driver"].version == "595.71.05"


def test_a_filesystem_whose_client_the_system_has_not_is_refused() -> None:
    with pytest.raises(software.SoftwareConflict) as refused:
        choose("2026.12", "lab/rail8", "lustre")
    assert any("no-lustre-on-debian-12" in line for line in refused.value.found)
    assert refused.value.allowed == "none of the catalogue's releases goes with it"


def test_hardware_gets_all_parts_and_a_lab_those_that_have_a_stand_in() -> None:
    release = catalog.load_release("2026.12")
    for lab in (True, False):
        found = software.planned(release, choose("2026.12", "lab/rail8", "moosefs"), lab=lab)
        assert found.versions["fabric_manager"] == found.versions["nvidia_driver"]
        assert ("kernel" in found.versions) is not lab
        assert found.packages["nvidia_driver"] == "nvidia-open"
        assert found.packages.keys() <= found.versions.keys()
