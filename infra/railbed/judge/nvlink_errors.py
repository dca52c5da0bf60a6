"""Whether the NVLinks of a node counted errors between two readings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from railbed.claims import Verdict
from railbed.judge import counted
from railbed.judge.counted import Outcome
from railbed.parse.nvlink_errors import Key
from railbed.text import few

CRC_PER_S = 100.0
"""Checksum errors a second from which a link is bad; fewer are repeated by the link and belong to a healthy one (NVIDIA/DCGM,
dcgm_gpu_hardware_limits.h and its health watch: a replay or recovery fails at once, CRC errors from this rate on)."""
FULL = 65535
"""Value at which counters of 16 bit stand still, as was seen on a V100."""
SHOWN = 4


def judge(
    gpus: int, links: int, before: Mapping[Key, int], after: Mapping[Key, int], elapsed_s: float
) -> Outcome:
    """``gpus`` and ``links``: of the node, and of each GPU. ``elapsed_s``: between the readings.

    Unproven where a link has no counters, where one restarted, and where one stood still at its largest value.
    """
    rises = counted.rises(before, after)
    plain = {_words(key): rise for key, rise in sorted(rises.items()) if rise}
    over = {key: rise for key, rise in sorted(rises.items()) if rise > _allowed(key[2], elapsed_s)}
    if over:
        named = few([f"{_words(key)} +{rise}" for key, rise in over.items()], SHOWN)
        parts = [f"gpu {gpu}" for gpu in sorted({gpu for gpu, _, _ in over})]
        return Outcome(Verdict.FAIL, f"counted in {elapsed_s:.0f} s under load: {named}", parts, plain)
    if restarted := [_words(key) for key, rise in sorted(rises.items()) if rise < 0]:
        reason = f"counters restarted meanwhile: {few(restarted, SHOWN)}"
        return Outcome(Verdict.UNPROVEN, reason, [], plain)
    if full := [_words(key) for key, rise in sorted(rises.items()) if not rise and before[key] == FULL]:
        reason = (
            f"counters stand at their largest value: {few(full, SHOWN)}; clear them (nvidia-smi nvlink -re)"
        )
        return Outcome(Verdict.UNPROVEN, reason, [], plain)
    heard = {(gpu, link) for gpu, link, _ in rises}
    if missing := [f"gpu {g} link {at}" for g in range(gpus) for at in range(links) if (g, at) not in heard]:
        return Outcome(Verdict.UNPROVEN, f"no counters of {few(missing, SHOWN)}", [], plain)
    checksums = sum(rise for key, rise in rises.items() if key[2].startswith("crc"))
    repeated = f", and {checksums} checksum errors, which links repeat" if checksums else ""
    return Outcome(Verdict.PASS, f"{len(heard)} links counted no replay and no recovery{repeated}", [], plain)


def _allowed(kind: str, elapsed_s: float) -> float:
    """How far a counter may rise in so many seconds."""
    return CRC_PER_S * max(elapsed_s, 1.0) if kind.startswith("crc") else 0.0


def _words(key: Key) -> str:
    gpu, link, kind = key
    return f"gpu {gpu} link {link} {kind}"
