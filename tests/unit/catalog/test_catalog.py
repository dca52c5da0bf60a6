"""Every catalogue file holds, every fact has a source, and derived facts agree with their arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed import catalog
from railbed.catalog import Machine
from railbed.catalog.loader import read_entry
from railbed.errors import CatalogError, Exit

ALL = [(kind, key) for kind in catalog.KINDS for key in catalog.keys(kind)]


@pytest.mark.parametrize(("kind", "key"), ALL)
def test_every_fact_has_a_source(kind: str, key: str) -> None:
    entry = catalog.load(kind, key)
    facts = list(catalog.facts_of(entry))
    assert entry.key == key
    assert facts
    for _, _, source in facts:
        assert source.source and source.checked


def test_there_is_what_the_first_release_needs() -> None:
    assert ("machines", "lab/rail8") in ALL
    assert ("machines", "metal/hgx-h100") in ALL
    assert ("filesystems", "lab/moosefs") in ALL
    assert ("software", "2026.11") in ALL


def test_lab_machine_is_the_real_one_at_its_scale() -> None:
    lab = catalog.load_machine("lab/rail8")
    real = catalog.load_machine(lab.stands_for)
    assert lab.gpus == real.gpus
    assert lab.gpu_model == real.gpu_model
    assert lab.rails * lab.nics_per_rail == real.rails * real.nics_per_rail
    assert lab.nic_gbps * lab.scale == pytest.approx(real.nic_gbps)
    assert lab.node_gbps == 0.8
    assert real.node_gbps == 3200
    assert len(lab.netdevs) == lab.rails * lab.nics_per_rail


def test_payload_fractions_are_their_arithmetic() -> None:
    tcp, ethernet = 9000 - 20 - 32, 9000 + 14
    assert catalog.load_machine("lab/rail8").payload_fraction == pytest.approx(tcp / ethernet, abs=5e-5)
    roce = 4096 / (4096 + 14 + 4 + 8 + 12 + 20 + 8 + 12 + 4)
    assert catalog.load_machine("metal/hgx-h100").payload_fraction == pytest.approx(roce, abs=5e-6)


def test_release_knows_the_driver_to_install_and_the_one_before() -> None:
    release = catalog.load_release("2026.11")
    drivers = release.alternatives("nvidia_driver")
    assert [(one.when["os"], one.version, one.package, one.package_version) for one in drivers] == [
        ("debian 12", "570.124.06", "nvidia-open", "570.124.06-1"),
        ("ubuntu 24.04", "570.124.06", "nvidia-open", "570.124.06-0ubuntu1"),
    ]
    (before,) = release.other_versions["nvidia_driver"]
    assert before.package_version == "565.57.01-1"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("lab/rails8", "lab/rail8"), ("rail8", "lab/rail8"), ("hgx-h100", "metal/hgx-h100"), ("zzzzzz", "")],
)
def test_unknown_key_names_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(CatalogError) as unknown:
        catalog.load_machine(typed)
    assert unknown.value.code == "CATALOG_UNKNOWN_KEY"
    assert unknown.value.exit_status is Exit.USAGE
    assert "lab/rail8" in unknown.value.allowed
    assert unknown.value.hint == (
        f"did you mean {meant}?" if meant else "`railbed catalog list` shows what there is"
    )


def test_find_looks_through_all_kinds() -> None:
    assert catalog.find("lab/moosefs")[0] == "filesystems"
    assert catalog.find("2026.11")[0] == "software"
    with pytest.raises(CatalogError, match="no entry 'lab/moose'"):
        catalog.find("lab/moose")


def test_a_key_never_leaves_the_catalogue() -> None:
    with pytest.raises(CatalogError):
        catalog.load_machine("../../defaults")


SOURCE = "sources: {d: {source: some document, checked: 2026-01-01}}\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("- a list", "is a mapping"),
        ("title: a", "needs `sources`"),
        ("sources: {d: {source: some document}}\nfacts: {gpus: {value: 8, source: d}}", "Field required"),
        ("sources: {d: {source: some document, checked: soon}}\nfacts: {}", "match pattern"),
        (SOURCE + "facts: {gpus: 8}", "no known source"),
        (SOURCE + "facts: {gpus: {value: 8}}", "no known source"),
        (SOURCE + "facts: {gpus: {value: 8, source: e}}", "no known source"),
        (SOURCE + "gpus: 8", "no known source"),
        (SOURCE + "facts: {}", "not used"),
        (SOURCE + "facts: {gpus: {value: 8, source: d}}", "does not hold"),
        (SOURCE + "facts: {gpu: {value: 8, source: d}}", "unknown fact 'gpu'"),
        (SOURCE + "facts: {declared: {value: [nic_gbps], source: d}}", "unknown fact 'declared'"),
        (SOURCE + "facts: []", "`facts` is a mapping"),
        (SOURCE + "board: hgx-h1000\nfacts: {rails: {value: 8, source: d}}", "no GPU board 'hgx-h1000'"),
        (SOURCE + "unpublished: {mtu: 5}\nfacts: {rails: {value: 8, source: d}}", "does not hold"),
        (SOURCE + 'facts: {gpus: {value: "8", source: d}}', "does not hold"),
        ("a: &b 1", "anchors"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, body: str, words: str) -> None:
    file = tmp_path / "shape.yaml"
    file.write_text(body)
    with pytest.raises(CatalogError) as refused:
        read_entry(file, "machines/x/shape.yaml", "x/shape", Machine)
    assert words in refused.value.message
    assert refused.value.path.startswith("machines/x/shape.yaml")
    assert refused.value.hint


def test_a_copy_of_a_good_file_holds(tmp_path: Path) -> None:
    """What the table above refuses is refused for its fault, not for being outside the catalogue."""
    file = tmp_path / "shape.yaml"
    file.write_text((Path(catalog.__file__).parent / "machines/lab/rail8.yaml").read_text())
    read = read_entry(file, "machines/lab/rail8.yaml", "x/shape", Machine)
    assert read.model_copy(update={"key": "lab/rail8"}) == catalog.load_machine("lab/rail8")
