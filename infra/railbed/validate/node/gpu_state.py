"""What a job may have left set on its GPUs, and the commands that set it back. Pure; Python 3.9, standard library only.

Compute mode, MIG mode and application clocks, as `nvidia-smi --query-gpu` tells them; `-c`, `-mig` and `-rac` set them back
(NVIDIA, nvidia-smi manual). Clocks that are locked (`-lgc`) are left: only root locks them, and `--query-gpu` does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

FIELDS = (
    "index", "pci.bus_id", "name", "compute_mode", "mig.mode.current", "clocks.applications.graphics",
    "clocks.default_applications.graphics", "clocks.applications.memory", "clocks.default_applications.memory",
)  # fmt: skip
QUERY = ("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
DEFAULT_MODE = "Default"
MOST_GPUS = 1024
"""More numbers than that are no list of a node's GPUs."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi lists it. A setting that the GPU does not have is empty."""

    index: int
    place: str
    """PCI bus id."""
    model: str
    compute_mode: str
    mig: str
    clocks_mhz: tuple[str, str]
    """Of applications: processor and memory."""
    default_clocks_mhz: tuple[str, str]


def listed(text: str) -> list[Gpu]:
    """The GPUs of an answer to ``QUERY``; a row of another form is passed over."""
    found = []
    for row in text.splitlines():
        cells = ["" if cell.strip().startswith("[") else cell.strip() for cell in row.split(",")]
        if len(cells) == len(FIELDS) and cells[0].isdigit() and cells[1]:
            index, place, model, mode, mig, graphics, usual_graphics, memory, usual_memory = cells
            clocks, usual = (graphics, memory), (usual_graphics, usual_memory)
            found.append(Gpu(int(index), place, model, mode, mig, clocks, usual))
    return found


def numbers(text: str) -> Optional[set[int]]:
    """Of a job's GPUs (``SLURM_JOB_GPUS``: ``0,1`` or ``0-3``); None for what is no such list."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if not match:
            return None
        found |= set(range(int(match[1]), min(int(match[2] or match[1]), MOST_GPUS) + 1))
    return found


def resets(gpus: Iterable[Gpu]) -> list[list[str]]:
    """Commands that bring these GPUs back to what a job finds; none for those that are so."""
    commands = []
    for one in gpus:
        ask = ["nvidia-smi", "-i", str(one.index)]
        if one.compute_mode not in ("", DEFAULT_MODE):
            commands.append([*ask, "-c", "DEFAULT"])
        if one.mig == "Enabled":
            commands.append([*ask, "-mig", "0"])
        if any(now != usual for now, usual in zip(one.clocks_mhz, one.default_clocks_mhz) if now and usual):  # noqa: B905 - 3.9
            commands.append([*ask, "-rac"])
    return commands
