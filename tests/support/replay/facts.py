"""What is so of a healthy node, by the kind of its cluster, and how a table changes it."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

import yaml
from tests.support import node_trees
from tests.support.replay import optics

DATA = Path(__file__).parents[2] / "validation" / "data" / "replay"
HEALTHY: dict[str, Any] = yaml.safe_load((DATA / "healthy.yaml").read_text())
GPUS = 8
LINK = "26.562 GB/s"
IDLE = "0x0000000000000001"
"""What nvidia-smi tells of the clocks of a GPU without work (nvml.h, nvmlClocksEventReasonGpuIdle)."""

SAID = (
    "driver", "fabric_manager", "fabric_manager_state", "dcgm", "log", "log_code", "memlock", "step", "offset_s", "leap",
    "unmunge", "enroot", "packages", "logins", "nvidia_smi", "says", "container_toolkit", "slurmd", "gdrcopy_mode", "watches",
    "shared", "torch", "load", "drives",
)  # fmt: skip
"""Facts that programs tell, and no file; of a GPU all but ``PART_FILES``."""

AS_TOLD = (
    "driver", "kernel", "container_toolkit", "fabric_manager", "dcgm", "boot_line", "nccl_conf", "torch",
)  # fmt: skip
"""Facts of a node that the table of healthy ones has."""
PART_FILES = (".there", ".errors")
"""Facts of a GPU that its files tell."""


def only_said(changes: dict[str, Any]) -> bool:
    """Whether the files of a node stay as they are."""
    return all(
        path in SAID or (path.startswith("gpus.") and not path.endswith(PART_FILES)) for path in changes
    )


def template(name: str) -> Template:
    """A text of the data folder."""
    return Template((DATA / name).read_text())


@lru_cache
def _kind(name: str) -> dict[str, Any]:
    return node_trees.kind(name)


def kind(name: str) -> dict[str, Any]:
    """A kind of node, free to be changed; read once."""
    return copy.deepcopy(_kind(name))


def healthy(cluster: str) -> dict[str, Any]:
    """A healthy node; ``changed`` changes one."""
    base = HEALTHY[cluster]
    machine = kind(base["kind"])
    gpu = {
        "there": True, "lost": False, "model": "NVIDIA H100 80GB HBM3", "memory_mib": 81559, "pending": "No", "failure": "No",
        "sram": 0, "width": 16, "persistence": "Enabled", "joined": "Completed", "links": [LINK] * 18, "errors": {}, "diag": "",
        "reasons": IDLE, "power_w": "700.00", "mig": "Disabled", "apps": [], **copy.deepcopy(base.get("gpu", {})),
    }  # fmt: skip
    cards = {
        nic["rdma"]: {
            "state": "4: ACTIVE", "phys_state": "5: LinkUp", "width": "16", "speed": "32.0 GT/s PCIe", "there": True,
            "rate": machine["nic"]["rate"], "mtu": 0, "address": "", "gid": True, "classes": True,
            "congestion": "not shown", "errors": {},
            "keys": ["0x7fff", "0x8012"], "port": copy.deepcopy(optics.PORT),
        }
        for part in parts(machine) for nic in part["nics"]
    }  # fmt: skip
    return {
        **copy.deepcopy({name: base[name] for name in AS_TOLD}),
        "next_kernel": base["kernel"], "built_for": base["kernel"], "gpus": [copy.deepcopy(gpu) for _ in range(GPUS)],
        "cards": cards, "fabric_manager_state": "active", "memory_kib": machine["memory_kib"], "acs": 0, "load": "",
        "read_request": 0x5936, "governor": "performance", "memlock": "unlimited", "log": [], "log_code": 0,
        "offset_s": "-0.000001898", "leap": "Normal", "time_source": "0A500001,10.80.0.1", "lustre": "present", "data": "present",
        "packages": {},
        "unmunge": 0, "enroot": "4.0.1", "nvidia_smi": "", "other_files": {}, "says": {}, "logins": 6, "step": 0,
        "slurmd": "active", "gdrcopy": "2.5", "gdrcopy_mode": "666", "watches": {},
        "processes": {}, "shared": [], "semaphores": [], "link_tool": "mstlink", "drives": {},
    }  # fmt: skip


def parts(kind: dict[str, Any]) -> list[dict[str, Any]]:
    """What its GPUs and the rails' cards share: PCIe switches, or roots without any."""
    return [*kind.get("switches", ()), *kind.get("roots", ())]


def changed(found: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``found`` with other values in places like ``gpus.5.there``."""
    made = copy.deepcopy(found)
    for path, value in changes.items():
        *way, last = path.split(".")
        place: Any = made
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        key = int(last) if isinstance(place, list) else last
        assert isinstance(place, list) or key in place, f"{path} is no fact of a node"
        place[key] = value
    return made
