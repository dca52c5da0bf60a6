"""One node's odd answer leaves that node's claims unproven (never a traceback, never a pass), and all others' as they are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate import odd

from railbed.contract import Contract
from railbed.defaults import STORAGE_PROBE_BYTES
from railbed.effects.scheduler import Scheduler
from railbed.model.claims import Judged, Verdict
from railbed.run import Result
from railbed.validate import on_node, storage
from railbed.validate.answers import Answers
from railbed.validate.bench import Bench
from railbed.validate.scope import select

ODD = "h100-1"
RECORD = {"claim": "node.gpus", "verdict": "pass", "reason": "8 answer", "measured": 8, "unit": "GPUs", "expected": 8,
          "parts": [], "at": "2026-11-24T08:00:00+00:00"}  # fmt: skip
TRANSFER = {"seconds": 0.5, "bytes": STORAGE_PROBE_BYTES, "sha256": "0" * 64}
Ask = Callable[
    [str, Callable[[Bench], None], Callable[[str, str], Result | None]], dict[tuple[str, str], Judged]
]


@pytest.fixture
def ask(contract: Contract, tmp_path: Path, fake_remote: Any) -> Ask:
    def run(
        pattern: str, step: Callable[[Bench], None], answer: Callable[[str, str], Result | None]
    ) -> dict[tuple[str, str], Judged]:
        scope = select(contract, pattern=pattern)
        bench = Bench(
            contract, remote := fake_remote(answer), scope, Answers(scope), tmp_path, lambda _: None
        )
        bench.scheduler = Scheduler(remote)
        step(bench)
        return {(c.claim, c.node): c for c in bench.answers.complete()}

    return run


def sound(record: Judged) -> bool:
    """Nothing in the record that no JSON has, or that a terminal obeys."""
    json.dumps(record.model_dump(mode="json"), allow_nan=False)
    return not isinstance(record.measured, float) or math.isfinite(record.measured)


def suite(bench: Bench) -> None:
    on_node.run(bench)


@pytest.mark.parametrize(
    "text", [*odd.TEXTS, *(f"[{one}]" for one in odd.bent(RECORD)), *odd.bent(RECORD)],
    ids=lambda text: ascii(text[:40]),
)  # fmt: skip
def test_on_node_checks(ask: Ask, text: str) -> None:
    def answer(node: str, line: str) -> Result:
        said = text if node == ODD else json.dumps([RECORD])
        return Result((), 0, said if "pytest" in line else "", "")

    found = ask("node.*", suite, answer)
    assert all(sound(record) for record in found.values())
    assert {found["node.gpus", n].verdict for n in ("h100-0", "h100-2", "h100-3")} == {Verdict.PASS}
    mine = found["node.gpus", ODD]
    if mine.verdict is not Verdict.PASS:
        assert mine.verdict is Verdict.UNPROVEN
        assert "\x1b" not in mine.reason


@pytest.mark.parametrize("verb", ["read", "write"])
@pytest.mark.parametrize("text", [*odd.TEXTS, *odd.bent(TRANSFER)], ids=lambda text: ascii(text[:40]))
def test_storage(contract: Contract, ask: Ask, text: str, verb: str) -> None:
    def answer(node: str, line: str) -> Result:
        if "python3" in line:
            bad = node == ODD and f" {verb} " in line
            return Result((), 0, text if bad else json.dumps(TRANSFER), "")
        if "-SCS" in line:
            rows = [
                f"x|{contract.node(n).address}|9422|1|-|3.0|0|-|1|1|100|0"
                for n in ("h100-0", "h100-1", "h100-2")
            ]
            return Result((), 0, "\n".join(rows), "")
        copies = "\tchunk 0: 0_0 / (id:0 ver:1)\n" + "\t\tcopy 1: 10.0.0.1:9422 (status:VALID)\n" * 2
        return Result((), 0, copies, "")

    (record,) = ask("storage.servers", storage.run, answer).values()
    assert sound(record)
    try:
        fine = json.loads(text)["sha256"] == TRANSFER["sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        fine = False
    if not fine:
        assert record.verdict is not Verdict.PASS
    if record.verdict is Verdict.UNPROVEN:
        assert f"{ODD} printed" in record.reason
