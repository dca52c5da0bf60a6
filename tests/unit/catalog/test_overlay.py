"""A user's own folder of catalogue files: it wins, it is named as the origin, and its mistakes are one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed import catalog, spec
from railbed.errors import CatalogError

OWN = Path(catalog.__file__).parent
EXAMPLE = Path(__file__).parents[3] / "examples" / "lab-cluster.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path))
    (tmp_path / "machines" / "lab").mkdir(parents=True)
    return tmp_path


def put(folder: Path, change: tuple[str, str], name: str = "rail8") -> Path:
    """The lab's machine with one line changed."""
    text = (OWN / "machines" / "lab" / "rail8.yaml").read_text()
    assert change[0] in text
    file = folder / "machines" / "lab" / f"{name}.yaml"
    file.write_text(text.replace(*change))
    return file


def test_a_file_of_the_user_wins_and_is_the_origin(folder: Path) -> None:
    file = put(folder, ("burst_kib: {value: 128", "burst_kib: {value: 256"))
    assert catalog.load_machine("lab/rail8").burst_kib == 256
    assert catalog.file_of("machines", "lab/rail8") == str(file)
    rows = {row.path: row for row in spec.explain(spec.load(EXAMPLE))}
    assert rows["pools[0].machine.burst_kib"].source.startswith(f"{file}: ")
    assert rows["filesystems[0].offer.kind"].source.startswith("filesystems/lab/moosefs.yaml: ")


def test_without_the_folder_railbed_s_own_is_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, ("burst_kib: {value: 128", "burst_kib: {value: 256"))
    assert catalog.load_machine("lab/rail8").burst_kib == 256
    monkeypatch.delenv(catalog.OVERLAY)
    assert catalog.load_machine("lab/rail8").burst_kib == 128


def test_a_new_machine_is_a_new_file_and_may_stand_on_a_board(folder: Path) -> None:
    put(folder, ("value: 8, source", "value: 8, source"), "rail8-copy")
    assert "lab/rail8-copy" in catalog.keys("machines")
    (folder / "machines" / "metal").mkdir()
    text = (OWN / "machines" / "metal" / "hgx-h100.yaml").read_text().replace("value: 112", "value: 128")
    (folder / "machines" / "metal" / "mine.yaml").write_text(text)
    mine = catalog.load_machine("metal/mine")
    assert (mine.cpus, mine.gpus, mine.gpu_model) == (128, 8, "NVIDIA H100 80GB HBM3")


def test_the_first_of_several_folders_wins(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path_factory.mktemp("second")
    (second / "machines" / "lab").mkdir(parents=True)
    put(folder, ("burst_kib: {value: 128", "burst_kib: {value: 1"))
    put(second, ("burst_kib: {value: 128", "burst_kib: {value: 2"))
    monkeypatch.setenv(catalog.OVERLAY, f"{second}:{folder}")
    assert catalog.load_machine("lab/rail8").burst_kib == 2


@pytest.mark.parametrize(
    ("body", "words", "place"),
    [
        ("title: x", "needs `sources`", "bad.yaml"),
        ("sources: {d: {source: some document, checked: 2026-01-01}}\nfacts: {nic_gbp: {value: 1, source: d}}",
         "unknown fact 'nic_gbp'", "bad.yaml:facts.nic_gbp"),
        ("a: [", "not YAML", "bad.yaml:1"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_by_its_path(folder: Path, body: str, words: str, place: str) -> None:
    (folder / "machines" / "lab" / "bad.yaml").write_text(body)
    with pytest.raises(CatalogError) as refused:
        catalog.load_machine("lab/bad")
    assert words in refused.value.message
    assert refused.value.path.startswith(str(folder))
    assert place in refused.value.path
    assert refused.value.hint


def test_a_near_fact_is_offered(folder: Path) -> None:
    put(folder, ("nics_per_rail:", "nic_per_rail:"))
    with pytest.raises(CatalogError) as refused:
        catalog.load_machine("lab/rail8")
    assert refused.value.hint == "did you mean nics_per_rail?"


def test_a_folder_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path / "absent"))
    with pytest.raises(CatalogError, match="does not exist"):
        catalog.keys("machines")
    (tmp_path / "machine").mkdir()
    monkeypatch.setenv(catalog.OVERLAY, str(tmp_path))
    with pytest.raises(CatalogError, match="holds something else") as refused:
        catalog.load_machine("lab/rail8")
    assert refused.value.found == ["machine"]
    assert "machines" in refused.value.allowed
