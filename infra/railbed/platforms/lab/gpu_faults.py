"""Faults of simulated GPUs, as data: what the mock NVML then answers, and the lines that the driver would log.

All is pure: a node's state file is its hardware and the faults at work on it, so faults of one node may be put in and
taken back in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from railbed.effects.lab import hardware

LINK = 7
"""The NVLink that `nvlink-down` takes, of the 18 that each GPU has."""
MISSING = "gpu-missing"


@dataclass(frozen=True)
class Xid:
    """One of the driver's numbered errors, in the driver's own form."""

    number: int
    message: str
    """What stands behind the number; ``{link}`` is the NVLink."""
    source: str


XIDS = {
    xid.number: xid
    for xid in (
        Xid(13, "pid='<unknown>', name=<unknown>, Graphics SM Warp Exception on (GPC 7, TPC 7, SM 0):"
                " Illegal Instruction Parameter", "github.com/leptonai/gpud pull request 46"),
        Xid(48, "pid='<unknown>', name=<unknown>, An uncorrectable double bit error (DBE) has been detected on GPU in the"
                " framebuffer at physAddr 0x18f31d80 partition 16, subpartition 3.",
            "github.com/NVIDIA/gpu-operator issue 1146"),
        Xid(63, "pid='<unknown>', name=<unknown>, Row Remapper: New row (0x0000000018f31d80) marked for remapping, reset"
                " gpu to activate.", "github.com/stas00/ml-engineering, debug of NVIDIA GPUs"),
        Xid(64, "pid='<unknown>', name=<unknown>, Row Remapper Error: (0x0000000018f31d80) - All reserved rows for bank"
                " are remapped", "github.com/facebookresearch/gcm, its test of the form"),
        Xid(74, "pid='<unknown>', name=<unknown>, NVLink: fatal error detected on link {link}(0x10000, 0x0, 0x0, 0x0, 0x0,"
                " 0x0, 0x0)", "github.com/awslabs/awsome-distributed-ai, instance replacement test"),
        Xid(79, "pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
            "github.com/NVIDIA/NVSentinel issue 155; docs.nvidia.com/deploy/xid-errors"),
        Xid(94, "pid='<unknown>', name=<unknown>, Contained: SM (0x1). RST: No, D-RST: No",
            "github.com/NVIDIA/open-gpu-kernel-modules, comment on error containment"),
        Xid(95, "pid='<unknown>', name=<unknown>, Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No",
            "github.com/NVIDIA/open-gpu-kernel-modules, comment on error containment"),
        Xid(109, "pid=1797828, name=pt_main_thread, Ch 00000008, errorString CTX SWITCH TIMEOUT, Info 0x58005",
            "github.com/leptonai/gpud pull request 46"),
        Xid(119, "pid=1582259, name=nvc:[driver], Timeout after 6s of waiting for RPC response from GPU1 GSP! Expected"
                 " function 76 (GSP_RM_CONTROL) (0x20802a02 0x8).", "github.com/NVIDIA/NVSentinel, its end-to-end test"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class GpuFault:
    """What one GPU then shows."""

    layer: str
    part: str = "gpu {index}"
    """What validation blames; as of ``fault.Fault``."""
    entries: Mapping[str, str] = field(default_factory=dict)
    """Of its section in the state file; ``{gpu}`` is its index."""
    xids: tuple[int, ...] = ()
    """Logged at once, in this order."""
    claims: tuple[str, ...] = ()
    of: str = ""
    """As of ``fault.Fault``."""


HARMLESS = (13, 63, 94)
"""Codes that say nothing of the hardware, or of which the node may go on."""
GPU_FAULTS = {
    MISSING: GpuFault("gpu", claims=("node.gpus",)),
    # The driver reaches it over PCIe no more (NVIDIA, "XID Errors", 79).
    "gpu-lost": GpuFault("pcie", entries={"err": "15"}, xids=(79,), claims=("node.gpus", "node.dcgm", "node.xid")),
    # Its number is the driver's: nvidia-smi hangs too, and a container has no /proc/driver/nvidia, which has it on a real node.
    "gpu-hang": GpuFault("gpu", "gpu at {place}", entries={"hang": "1"}, xids=(119,), claims=("node.xid",)),
    "gpu-ecc": GpuFault(
        "gpu", entries={"ecc_unc_vol_dram": "1", "ecc_unc_agg_dram": "1", "remap_unc": "1", "remap_pending": "1"},
        xids=(48, 63, 94), claims=("node.gpus", "node.dcgm", "node.xid"),
    ),
    "gpu-remap-failed": GpuFault(
        "gpu", entries={"remap_unc": "8", "remap_failed": "1"}, xids=(64,), claims=("node.gpus", "node.dcgm", "node.xid")
    ),
    "gpu-less-memory": GpuFault("gpu", entries={"mem_total_mib": "40960"}, claims=("node.gpus",)),
    "gpu-other-model": GpuFault("gpu", entries={"name": "NVIDIA A100-SXM4-80GB"}, claims=("node.gpus",)),
    # A quick run leaves `node.identity` unproven; a run of everything accepts what it finds.
    "gpu-other": GpuFault(
        "identity", "", {"uuid": "GPU-00000000-0000-4000-8000-{gpu:012d}", "serial": "165{gpu:010d}"}
    ),
    "gpu-throttle": GpuFault(
        "gpu", entries={"throttle": "0x48", "temp": "90", "clock_sm": "210"}, claims=("node.clocks", "node.dcgm")
    ),
    "power-capped": GpuFault("gpu", entries={"power_limit_mw": "350000"}, claims=("node.clocks",)),
    "mig-enabled": GpuFault("gpu", entries={"mig": "1"}, claims=("node.clocks",)),
    "persistence-off": GpuFault("gpu", "persistence", entries={"persistence": "0"}, claims=("node.persistence",)),
    "pcie-narrow": GpuFault("pcie", entries={"pcie_width": "8"}, claims=("node.pcie", "node.dcgm")),
    "nvlink-down": GpuFault(
        "nvlink", entries={f"nvlink{LINK}": "down"}, xids=(74,), claims=("node.nvlink", "node.dcgm", "node.xid")
    ),
    "nvlink-slow": GpuFault("nvlink", entries={f"nvlink{LINK}_mbps": "13281"}, claims=("node.nvlink",)),
    **{
        f"nvlink-{name}": GpuFault(
            "nvlink", entries={f"nvlink{LINK}_{kind}_per_s": per_s}, claims=("gpu.nvlink_errors",), of="nvlink-errors"
        )
        for name, kind, per_s in (("crc", "crc_flit", "300"), ("replay", "replay", "1"), ("recovery", "recovery", "1"))
    },
    **{
        f"xid-{number}": GpuFault("gpu", "", xids=(number,), of="xid") if number in HARMLESS
        else GpuFault("gpu", xids=(number,), claims=("node.xid",), of="xid")
        for number in XIDS
    },
}  # fmt: skip


def state(delivered: str, faults: Iterable[tuple[str, int]]) -> str:
    """The state file of a node with this hardware description, and of (fault, GPU) all that are at work on it.

    A GPU that is missing is off the bus: those behind it keep what is theirs, and move up by an index.
    """
    found = hardware.sections(delivered)
    count = int(found["system"]["gpus"])
    gpus = [_whole(index, found.pop(f"gpu{index}", {})) for index in range(count)]
    missing = set()
    for name, index in faults:
        gpus[index].update({key: value.format(gpu=index) for key, value in GPU_FAULTS[name].entries.items()})
        if name == MISSING:
            missing.add(index)
    there = [gpu for index, gpu in enumerate(gpus) if index not in missing]
    found["system"]["gpus"] = str(len(there))
    return hardware.state({**found, **{f"gpu{index}": gpu for index, gpu in enumerate(there)}})


def _whole(index: int, entries: dict[str, str]) -> dict[str, str]:
    """A GPU's entries, with an identity also where the host's description is older than identities of GPUs."""
    own = {"pci": hardware.bus_id(index), "minor": str(index), "module_id": str(index + 1)}
    return {**entries, **{key: value for key, value in own.items() if key not in entries}}


RECOVERED = (
    "pid='<unknown>', name=<unknown>, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"
)
"""What stands behind XID 154 once a GPU was reset (NVIDIA, "XID Errors", 154)."""


def log_lines(delivered: str, name: str, index: int) -> list[str]:
    """What the driver logs when the fault comes."""
    where = _place(delivered, index)
    return [
        f"NVRM: Xid (PCI:{where}): {number}, {XIDS[number].message.format(link=LINK)}"
        for number in GPU_FAULTS[name].xids
    ]


def reset_line(delivered: str, index: int) -> str:
    """What it logs when the GPU was reset: whatever it had logged of it before is over."""
    return f"NVRM: Xid (PCI:{_place(delivered, index)}): 154, {RECOVERED}"


def _place(delivered: str, index: int) -> str:
    """A GPU's place as the driver logs it."""
    return hardware.logged(
        hardware.sections(delivered).get(f"gpu{index}", {}).get("pci", hardware.bus_id(index))
    )


def journal_entry(line: str) -> str:
    """The line as `logger --journald` takes it: what journald makes of a kernel's line, and a mark that it is none.

    A container has no /dev/kmsg of its own. `journalctl -t kernel` shows these lines and a real kernel's alike.
    """
    return f"MESSAGE={line}\nPRIORITY=3\nSYSLOG_FACILITY=0\nSYSLOG_IDENTIFIER=kernel\nRAILBED_SIMULATED=1\n"
