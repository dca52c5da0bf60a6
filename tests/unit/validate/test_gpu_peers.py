"""A run of some nodes: their GPUs are compared with those of the others in the last whole run too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.gpu_answers import NODES, RATES, Run, part, runner, text

from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.validate.acceptance import LATEST_FULL

Found = dict[tuple[str, str], Judged]
NODE = "h100-2"


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Run:
    return runner(contract, fake_remote, tmp_path)


@pytest.fixture
def whole(run: Run, tmp_path: Path) -> Callable[..., Path]:
    """Runs on all nodes, which are healthy, as the last whole run; returns the file in which it kept their answers."""

    def runs(count: int = 8) -> Path:
        run(text(*(part(name, count) for name in NODES)), count=count, name="before")
        (tmp_path / LATEST_FULL).symlink_to("before")
        (kept,) = (tmp_path / "before" / "evidence" / "gpus").glob("*.json")
        return kept

    return runs


def alone(run: Run, said: dict[str, Any], count: int = 8) -> Found:
    found: Found = run(text(said), only=[NODE], count=count)[0]
    assert {node for _, node in found} == {NODE}
    return found


def slow(count: int) -> dict[str, Any]:
    """All GPUs of the node multiply at 0.85 of the others' rate, above every floor."""
    rates: dict[str, Any] = {"rates": {**RATES, "bf16": RATES["bf16"] * 0.85}}
    changes: dict[str, Any] = {f"gpu{at}": rates for at in range(count)}
    return part(NODE, count, **changes)


def verdicts(found: Found) -> dict[str, str]:
    """Claims that did not pass."""
    return {claim: str(one.verdict) for (claim, _), one in found.items() if one.verdict is not Verdict.PASS}


@pytest.mark.refutes("gpu.gemm.bf16")
@pytest.mark.parametrize("count", [4, 8])
def test_a_node_that_is_slow_as_a_whole_fails_alone(run: Run, whole: Callable[..., Path], count: int) -> None:
    whole(count)
    found = alone(run, slow(count), count)
    assert verdicts(found) == {"gpu.gemm.bf16": "fail"}
    judged = found["gpu.gemm.bf16", NODE]
    assert judged.detail["parts"] == [f"gpu {at}" for at in range(count)]
    assert judged.detail["compared_with"] == {"report": "before", "nodes": 3}


def test_without_a_whole_run_it_passes_alone(run: Run) -> None:
    found = alone(run, slow(8))
    assert verdicts(found) == {} and "compared_with" not in found["gpu.gemm.bf16", NODE].detail


def test_four_gpus_alone_pass_all_claims_by_the_last_whole_run(run: Run, whole: Callable[..., Path]) -> None:
    assert verdicts(alone(run, part(NODE, 4), 4)) == {"gpu.copies": "unproven"}
    whole(4)
    found = alone(run, part(NODE, 4), 4)
    assert verdicts(found) == {} and "an outlier among 16" in found["gpu.copies", NODE].reason


@pytest.mark.refutes("gpu.determinism")
def test_a_node_whose_gpus_agree_on_other_bits_is_named(run: Run, whole: Callable[..., Path]) -> None:
    bits: dict[str, Any] = {f"gpu{at}": {"digests": ["x"] * 4} for at in range(8)}
    other = part(NODE, **bits)
    assert verdicts(alone(run, other)) == {}
    whole()
    found = alone(run, other)
    assert verdicts(found) == {"gpu.determinism": "fail"}
    assert "another result than 24 of 32 GPUs" in found["gpu.determinism", NODE].reason


def test_what_the_node_itself_did_before_is_not_its_peer(run: Run, whole: Callable[..., Path]) -> None:
    kept = whole()
    before = json.loads(kept.read_text())
    kept.write_text(json.dumps({NODE: before[NODE]}))
    assert verdicts(alone(run, slow(8))) == {}


@pytest.mark.parametrize("key", ["torch", "cuda", "program"])
def test_another_library_or_program_is_no_peer(run: Run, whole: Callable[..., Path], key: str) -> None:
    kept = whole()
    others = {name: {**one, key: "another"} for name, one in json.loads(kept.read_text()).items()}
    kept.write_text(json.dumps(others))
    assert verdicts(alone(run, slow(8))) == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff{{{", b"[]", b"7", b"null", b'{"h100-0": 5, "h100-1": {"gpus": "eight"}}', b"[" * 5000, b'{"a": NaN}'],
)  # fmt: skip
def test_garbage_in_the_file_is_ignored(run: Run, whole: Callable[..., Path], content: bytes) -> None:
    whole().write_bytes(content)
    assert verdicts(alone(run, slow(8))) == {}


def test_an_answer_that_is_none_leaves_the_others(run: Run, whole: Callable[..., Path]) -> None:
    kept = whole()
    known = json.loads(kept.read_text())
    twice = {**known["h100-0"], "gpus": [known["h100-0"]["gpus"][0]] * 2}
    many = {**known["h100-1"], "gpus": [{**known["h100-1"]["gpus"][0], "index": 8}]}
    kept.write_text(json.dumps({**known, "h100-0": twice, "h100-1": many, "elsewhere": known["h100-0"]}))
    assert alone(run, part(NODE))["gpu.hbm", NODE].detail["compared_with"]["nodes"] == 1
    kept.write_text(json.dumps({**known, "h100-0": known["h100-1"]}))
    assert alone(run, part(NODE))["gpu.hbm", NODE].detail["compared_with"]["nodes"] == 2


def test_a_whole_run_compares_with_itself_alone(run: Run, whole: Callable[..., Path]) -> None:
    whole()
    found, _ = run(text(*(part(name) for name in NODES)))
    assert all("compared_with" not in one.detail for one in found.values())
