"""`make gpu`: what it says without a GPU, and what it keeps of one that a script plays."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.gpu import run

from railbed.errors import Exit
from railbed.run import Result
from railbed.validate import on_node

RECORDED = Path(__file__).parents[1] / "validation/data/nvidia-smi/good"
LISTED = "NVIDIA H100 80GB HBM3, 81559, 595.84\n" * 8
SCRIPT = """#!/bin/sh
key=$(printf %s "$*" | LC_ALL=C tr -c a-zA-Z0-9 _)
for folder in {own} {recorded}; do
    [ ! -e "$folder/$key.out" ] || exec cat "$folder/$key.out"
done
echo "nobody recorded $key"
exit 9
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose nvidia-smi says what was recorded in a lab of eight simulated GPUs."""
    own, programs = tmp_path / "own", tmp_path / "bin"
    own.mkdir()
    programs.mkdir()
    name = "__query_gpu_name_memory_total_driver_version___format_csv_noheader_nounits"
    (own / f"{name}.out").write_text(LISTED)
    script = programs / "nvidia-smi"
    script.write_text(SCRIPT.format(own=own, recorded=RECORDED))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin")
    return tmp_path


def test_without_a_gpu_it_says_so_and_exits_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run.main(["--output", str(tmp_path / "kept")]) == Exit.UNPROVEN == 3
    assert capsys.readouterr().out.startswith("no GPU here: ")
    assert not (tmp_path / "kept").exists()


def test_what_ran_is_kept_with_its_origin_and_what_did_not_is_said(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run.main(["--output", str(machine / "kept"), "--python", "no-such-python"])
    said = capsys.readouterr().out
    assert status == Exit.UNPROVEN
    assert (
        "not run: GPU performance: " in said
        and "not run: collectives: /opt/railbed/nccl-tests/bin/all_reduce_perf" in said
    )
    folder = machine / "kept/8-nvidia-h100-80gb-hbm3"
    records = {one["claim"]: one for one in json.loads((folder / "suite.json").read_text())}
    assert set(records) == set(run.CLAIMS)
    assert records["node.gpus"]["verdict"] == "pass" and "node.gpus: pass: 8 × NVIDIA H100" in said
    page = (folder / "README.md").read_text()
    assert (
        page.startswith("# 8 × NVIDIA H100 80GB HBM3\n\nKept by `make gpu` of commit ")
        and "driver 595.84" in page
    )
    assert "`suite.json`" in page and "- not there: GPU performance: " in page
    assert (folder / "_L.out").exists()


def test_a_suite_that_gives_no_result_is_wrong(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(on_node, "SCRIPT", "echo '[{{'; exit 4")
    assert run.main(["--output", str(machine / "kept"), "--python", "no-such-python"]) == Exit.FAIL
    assert "wrong: the on-node suite gave no result" in capsys.readouterr().out


def test_identities_are_others_and_the_same_one_stays_the_same() -> None:
    one, other = ("GPU-0f0f0f0f-1111-2222-3333-44444444444" + end for end in "56")
    text = run.anonymous(f"{one} {other} {one} <serial>1654321000001</serial>")
    first = "GPU-00000000-0000-4000-8000-000000000000"
    assert text == f"{first} GPU-00000000-0000-4000-8000-000000000001 {first} <serial>0</serial>"


@pytest.mark.parametrize("listed", ["", "No devices were found\n", "NVIDIA H100, many, 595\n", "\x00\xff"])
def test_a_list_of_another_form_is_no_list(listed: str) -> None:
    with pytest.raises(ValueError, match="listed no GPUs"):
        run.expectations(listed)


def test_wrong_data_and_an_empty_table_are_wrong() -> None:
    good = (Path(__file__).parent / "data/parse/nccl_tests/two-nodes.log").read_text()
    bad = (Path(__file__).parent / "data/parse/nccl_tests/wrong-data.log").read_text()
    assert run._wrong("all_reduce", Result((), 0, good, "")) == []
    assert run._wrong("all_reduce", Result((), 0, bad, "")) != []
    assert run._wrong("all_reduce", Result((), 0, "", "")) != []
    assert "crashed (SIGSEGV)" in run._wrong("all_reduce", Result((), 139, good, ""))[0]
