"""Error counters of NVLinks, as `nvidia-smi nvlink --errorcounters` prints them. Pure; other lines are left out.

Form with NVLink 4 and below: ``GPU 0: NVIDIA H100 80GB HBM3 (UUID: …)``, then for each link ``Link 0: Replay Errors: 0``,
``Recovery Errors``, and ``CRC Errors`` or ``CRC Flit Errors`` and ``CRC Data Errors`` (stas00/ml-engineering, debug of NVIDIA
GPUs).
"""

from __future__ import annotations

import re

GPU = re.compile(r"^GPU (\d{1,3}): ")
COUNTER = re.compile(r"^\s+Link (\d{1,3}): (Replay|Recovery|CRC(?: Flit| Data)?) Errors: (\d{1,20})\s*$")
Key = tuple[int, int, str]
"""GPU, link, and ``replay``, ``recovery``, ``crc``, ``crc flit`` or ``crc data``."""
Counts = dict[Key, int]


def read(text: str) -> Counts:
    """Every counter that the text has."""
    found: Counts = {}
    gpu: int | None = None
    for line in text.splitlines():
        if head := GPU.match(line):
            gpu = int(head[1])
        elif gpu is not None and (match := COUNTER.match(line)):
            found[gpu, int(match[1]), match[2].lower()] = int(match[3])
    return found
