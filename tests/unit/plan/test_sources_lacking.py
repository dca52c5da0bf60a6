"""Packages that the roles ask for and no source has, and keys and hashes that nobody recorded: the plan names them before
anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import catalog, plan, spec
from railbed.errors import CatalogError, UsageError
from railbed.plan import sources
from railbed.software import compat

ROOT = Path(__file__).resolve().parents[3]
DOCA = "0123456789ABCDEF0123456789ABCDEF01234567"
MIRROR = {
    "url": "https://mirror.site.test",
    "key": (ROOT / "tests/unit/data/openpgp/mirror.asc").read_text(),
    "fingerprint": DOCA,
}
PIN = """
title: what this site pinned
sources: {{shown: {{source: "shown by railbed software pin, confirmed", checked: 2026-11-30}}}}
parts:
  keys:
    {key}: {{fingerprints: ["{fingerprint}"], by: ada, source: shown}}
  files:
    enroot: [{{url: "{url}", sha256: "{sha256}", by: ada, source: shown}}]
"""


def made(example: str, **changed: Any) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    return plan.plan(spec.from_config({**data, **changed}, "x"))


def warned(example: str, code: str, **changed: Any) -> list[str]:
    return [one.message for one in made(example, **changed).warnings if one.code == code]


@pytest.mark.parametrize(
    ("example", "named"),
    [
        ("metal-cluster", ["railbed software pin 2026.11", "enroot"]),
        ("aws-flagship", ["enroot"]),
        ("gcp-cluster", ["enroot"]),
    ],
)
def test_a_plan_names_what_nobody_pinned_and_the_command(example: str, named: list[str]) -> None:
    (message,) = warned(example, "NOT_PINNED")
    assert all(one in message for one in named), message


@pytest.mark.parametrize(
    "example", ["metal-cluster", "aws-flagship", "azure-cluster", "gcp-cluster", "oci-cluster"]
)
def test_everything_that_nodes_install_has_a_source_or_can_be_pinned(example: str) -> None:
    assert warned(example, "NO_SOURCE") == []


def test_only_what_the_nodes_get_is_named() -> None:
    (message,) = warned("aws-hosts", "NOT_PINNED")
    assert "enroot" in message and "pyxis" not in message, "one host each: no fabric and no scheduler"
    assert warned("lab-cluster", "NOT_PINNED") == [], "a lab has a source of its own"


def test_a_repository_whose_key_nobody_pinned_is_no_source_of_a_node() -> None:
    assert "doca" not in sources_of_doca("2026.12") and "cuda" in sources_of_doca("2026.12")
    names = {one.name for one in made("gcp-cluster").software.repositories}
    assert {"gib", "lustre_google"} <= names


def test_a_key_that_a_third_party_named_is_a_source_by_that_fingerprint_alone() -> None:
    (found,) = [one for one in made("aws-flagship").software.repositories if one.name == "lustre_aws"]
    key = catalog.load_release("2026.11").keys["fsx"]
    assert (found.suite, found.components, found.fingerprint) == ("noble", ["main"], key.fingerprint)
    assert "third party" in key.provenance.source


def sources_of_doca(name: str) -> dict[str, plan.PlannedRepository]:
    """Of machines whose cards need it."""
    machine = catalog.load_machine("metal/hgx-b300")
    found = sources.of(catalog.load_release(name), [machine], [], None, "ubuntu 24.04")
    return {one.name: one for one in found}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pins").mkdir()
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path))
    return tmp_path / "pins/2026.11.yaml"


def test_what_a_site_pinned_is_a_source_and_warns_no_more(own: Path) -> None:
    url = catalog.load_release("2026.11").alternatives("enroot")[-1].url
    own.write_text(PIN.format(key="doca", fingerprint=DOCA, url=url, sha256="5" * 64))
    assert warned("aws-flagship", "NOT_PINNED") == []
    found = sources_of_doca("2026.11")["doca"]
    assert (found.suite, found.components, found.fingerprint) == ("./", [], DOCA)
    assert catalog.load_release("2026.11").alternatives("enroot")[-1].sha256 == "5" * 64


def test_a_pin_that_contradicts_its_publisher_is_refused(own: Path) -> None:
    own.write_text(PIN.format(key="cuda", fingerprint=DOCA, url="https://a.test/x", sha256="5" * 64))
    with pytest.raises(CatalogError, match="contradicts") as refused:
        catalog.load_release("2026.11")
    assert refused.value.code == "PIN_DIFFERS" and "keys.cuda" in str(refused.value.path)


@pytest.mark.parametrize(
    ("machine", "ending"), [("gcp/a4x-highgpu-4g", "_arm64.deb"), ("aws/p5.48xlarge", "_amd64.deb")]
)
def test_a_file_is_one_for_the_machines_processor(machine: str, ending: str) -> None:
    for key in catalog.keys("software"):
        release, facts = catalog.load_release(key), catalog.load_machine(machine)
        chosen = compat.select(release, facts, compat.system_of(release, facts))
        assert chosen["enroot"].url.endswith(ending)


@pytest.mark.parametrize("example", ["metal-cluster", "aws-flagship", "oci-hosts"])
def test_nothing_is_made_for_nodes_that_would_stop_at_their_packages(example: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan.require_sources(made(example))
    assert refused.value.code == "NOT_PINNED" and refused.value.path.endswith("software.release")
    assert "railbed software pin 2026.1" in refused.value.hint and "enroot" in refused.value.hint


def test_a_part_without_any_source_is_refused_too() -> None:
    weka = plan.Warned(code="NO_SOURCE", message="no source of this plan has weka", path="x.software.release")
    ready = made("lab-cluster")
    with pytest.raises(UsageError, match="nothing was made") as refused:
        plan.require_sources(ready.model_copy(update={"warnings": [*ready.warnings, weka]}))
    assert refused.value.code == "NO_SOURCE" and refused.value.hint == weka.message


def test_other_warnings_stop_nothing() -> None:
    ready = made("lab-cluster")
    assert ready.warnings
    plan.require_sources(ready)


def test_an_image_a_mirror_or_a_pin_brings_it(own: Path) -> None:
    release = {"release": "2026.11"}
    mirrored = made("aws-flagship", software={**release, "mirror": MIRROR})
    assert [one for one in mirrored.warnings if one.code == "NOT_PINNED"], "its own folder may have it or not"
    plan.require_sources(mirrored)
    place = made("metal-cluster").place.model_dump(mode="json", exclude_none=True)
    baked = made("metal-cluster", platform={**place, "image": {"profile": "railbed"}})
    plan.require_sources(baked)
    with pytest.raises(UsageError, match="packages"):
        plan.require_sources(baked, installed=True)
    url = catalog.load_release("2026.11").alternatives("enroot")[-1].url
    own.write_text(PIN.format(key="doca", fingerprint=DOCA, url=url, sha256="5" * 64))
    plan.require_sources(made("aws-flagship"))
