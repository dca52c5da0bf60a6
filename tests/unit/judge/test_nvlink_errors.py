"""Whether NVLinks counted errors between two readings."""

from __future__ import annotations

import pytest

from railbed.claims import Verdict
from railbed.judge import nvlink_errors as law
from railbed.parse import nvlink_errors as parse

FORM = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-abcdefab-cdef-abdc-abcd-abababababab)
\t Link 0: Replay Errors: 1
\t Link 0: Recovery Errors: 0
\t Link 0: CRC Errors: 7

GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-abcdefab-cdef-abdc-abcd-abababababac)
         Link 0: Replay Errors: 0
         Link 0: Recovery Errors: 0
         Link 0: CRC Flit Errors: 5
         Link 0: CRC Data Errors: 0
"""


def test_the_form_of_nvidia_smi_is_read() -> None:
    assert parse.read(FORM) == {
        (0, 0, "replay"): 1, (0, 0, "recovery"): 0, (0, 0, "crc"): 7,
        (1, 0, "replay"): 0, (1, 0, "recovery"): 0, (1, 0, "crc flit"): 5, (1, 0, "crc data"): 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "\x00\xff", "\t Link 0: Replay Errors: 1\n", "GPU 0: x\n\t Link 0: Replay Errors: many\n"]
)
def test_other_text_has_no_counters(text: str) -> None:
    assert parse.read(text) == {}


def counts(**over: int) -> parse.Counts:
    """Two GPUs with two links each; ``replay`` and the like are of GPU 1, link 0."""
    found = {(g, at, kind): 0 for g in range(2) for at in range(2) for kind in ("replay", "recovery", "crc")}
    return found | {(1, 0, kind): value for kind, value in over.items()}


@pytest.mark.parametrize(
    ("before", "after", "verdict", "says"),
    [
        (counts(), counts(), Verdict.PASS, "4 links counted no replay"),
        (counts(replay=9), counts(replay=9), Verdict.PASS, "no recovery"),
        (counts(), counts(crc=6000), Verdict.PASS, "6000 checksum errors"),
        (counts(), counts(crc=6001), Verdict.FAIL, "gpu 1 link 0 crc +6001"),
        (counts(), counts(replay=1), Verdict.FAIL, "gpu 1 link 0 replay +1"),
        (counts(recovery=4), counts(recovery=5), Verdict.FAIL, "gpu 1 link 0 recovery +1"),
        (counts(replay=5), counts(replay=0), Verdict.UNPROVEN, "restarted"),
        (counts(crc=65535), counts(crc=65535), Verdict.UNPROVEN, "largest value"),
        (counts(), {k: v for k, v in counts().items() if k[:2] != (1, 1)}, Verdict.UNPROVEN, "no counters of gpu 1 link 1"),
        ({}, {}, Verdict.UNPROVEN, "no counters of gpu 0 link 0"),
    ],
)  # fmt: skip
def test_what_counters_come_to_in_a_minute(
    before: parse.Counts, after: parse.Counts, verdict: Verdict, says: str
) -> None:
    found = law.judge(2, 2, before, after, 60.0)
    assert found.verdict is verdict and says in found.reason
    assert found.parts == (["gpu 1"] if verdict is Verdict.FAIL else [])
