"""The claim ``gpu.nvlink_errors``: what the NVLinks of a node count while a validation loads them."""

from __future__ import annotations

from collections.abc import Mapping

from railbed import ended
from railbed.claims.collectives import GATED
from railbed.judge import nvlink_errors as law
from railbed.judge.counted import Outcome
from railbed.parse import nvlink_errors as parse
from railbed.validate import error_counters, gpus
from railbed.validate.validation_run import ValidationRun

CLAIM = "gpu.nvlink_errors"
UNLOADED = "nothing loaded the NVLinks of {} in this run"
COUNTERS = ("nvidia-smi", "nvlink", "--errorcounters")
READ_S = 30.0


def _read(validation: ValidationRun, name: str) -> parse.Counts | str:
    found = validation.remote.run(name, COUNTERS, timeout_s=READ_S, check=False)
    if not found.ok:
        return ended.why(found, "nvidia-smi nvlink", name)
    return parse.read(found.stdout) or f"nvidia-smi printed no error counters of NVLinks on {name}"


def _judge(
    validation: ValidationRun,
    name: str,
    before: Mapping[parse.Key, int],
    after: Mapping[parse.Key, int],
    elapsed_s: float,
) -> Outcome:
    node = validation.node(name)
    links = validation.contract.machine(node.machine).nvlink_links
    return law.judge(node.gpus, links, before, after, elapsed_s)


def _unloaded(validation: ValidationRun, name: str) -> str:
    return gpus.obstacle(validation, name) or UNLOADED.format(name)


def _plain(found: Mapping[parse.Key, int]) -> dict[str, int]:
    """Counters that are not 0, and how many there are."""
    return {
        "counters": len(found),
        **{f"gpu {g} link {at} {kind}": n for (g, at, kind), n in sorted(found.items()) if n},
    }


NVLINKS = error_counters.Counters(
    claim=CLAIM,
    evidence="gpus/nvlink-errors.json",
    loads=(gpus.PEERS, *(f"gpu.{op}" for op in GATED)),
    unloaded=_unloaded,
    read=_read,
    judge=_judge,
    plain=_plain,
)
