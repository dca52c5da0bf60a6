"""The claim ``gpu.nvlink_errors``: what the NVLinks of a node count while a validation loads them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from railbed import ended
from railbed.claims import Verdict
from railbed.claims.collectives import GATED
from railbed.defaults import SSH_FANOUT
from railbed.judge import nvlink_errors as law
from railbed.parse import nvlink_errors as parse
from railbed.validate import gpus
from railbed.validate.answers import judged
from railbed.validate.validation_run import ValidationRun

CLAIM = "gpu.nvlink_errors"
LOADS = (gpus.PEERS, *(f"gpu.{op}" for op in GATED))
"""Claims whose measurements load the NVLinks of the node."""
UNLOADED = "nothing loaded the NVLinks of {} in this run"
COUNTERS = ("nvidia-smi", "nvlink", "--errorcounters")
READ_S = 30.0


def begin(validation: ValidationRun) -> None:
    """Reads the counters before anything loads the links."""
    if validation.scope.asks(CLAIM):
        validation.nvlink_counts, validation.nvlinks_counted_at = _read(validation), time.monotonic()


def run(validation: ValidationRun) -> None:
    """Reads the counters again and judges their rise."""
    if not validation.scope.asks(CLAIM):
        return
    elapsed_s = time.monotonic() - validation.nvlinks_counted_at
    after, before, loaded = _read(validation), validation.nvlink_counts, _loaded(validation)
    evidence = validation.keep("gpus/nvlink-errors.json", {"before": _plain(before), "after": _plain(after)})
    for question in validation.scope.get(CLAIM):
        name = question.node
        then, now = before.get(name, "it was not read"), after.get(name, "it was not read")
        if isinstance(then, str) or isinstance(now, str):
            validation.answers.why(CLAIM, then if isinstance(then, str) else str(now), [name])
            continue
        node = validation.node(name)
        links = validation.contract.machine(node.machine).nvlink_links
        outcome = law.judge(node.gpus, links, then, now, elapsed_s)
        if outcome.verdict is Verdict.PASS and name not in loaded:
            validation.answers.why(CLAIM, gpus.obstacle(validation, name) or UNLOADED.format(name), [name])
            continue
        detail = {"rises": outcome.rises, **({"parts": outcome.parts} if outcome.parts else {})}
        measured = sum(outcome.rises.values())
        record = judged(
            question, outcome.verdict, outcome.reason, measured=measured, unit="errors", evidence=evidence, detail=detail
        )  # fmt: skip
        validation.answers.add(record)


def _loaded(validation: ValidationRun) -> set[str]:
    """Nodes of which a measurement over NVLink gave a number."""
    return {one.node for one in validation.answers.given() if one.measured is not None and one.claim in LOADS}


def _read(validation: ValidationRun) -> Mapping[str, parse.Counts | str]:
    """Node → its counters, or why there are none."""

    def ask(name: str) -> parse.Counts | str:
        found = validation.remote.run(name, COUNTERS, timeout_s=READ_S, check=False)
        if not found.ok:
            return ended.why(found, "nvidia-smi nvlink", name)
        return parse.read(found.stdout) or f"nvidia-smi printed no error counters of NVLinks on {name}"

    asked = validation.scope.nodes(CLAIM)
    lost = {name: validation.unreachable[name] for name in asked if name in validation.unreachable}
    return {**validation.remote.each([name for name in asked if name not in lost], ask, SSH_FANOUT), **lost}


def _plain(counts: Mapping[str, parse.Counts | str]) -> dict[str, object]:
    """As JSON data: counters that are not 0, and how many there are."""
    return {
        name: found
        if isinstance(found, str)
        else {"counters": len(found), **{f"gpu {g} link {at} {kind}": n for (g, at, kind), n in sorted(found.items()) if n}}
        for name, found in sorted(counts.items())
    }  # fmt: skip
