"""Claims about the GPUs of a node, and what drives and joins them."""

from __future__ import annotations

from railbed.claims import expectations
from railbed.claims.definition import (
    Facts,
    Having,
    In,
    Instances,
    Level,
    Out,
    Subject,
    define,
)
from railbed.claims.measurements import DIAGNOSTICS, GPU_PROBE, HARDWARE_SUITE, NODE_SUITE, NVLINK_COUNTERS
from railbed.claims.records import WORKERS, Expectation

COUNTED_GENERATION = 4
"""Newest NVLink whose error counters this release knows by name: Replay, Recovery, CRC."""


@define(
    id="node.gpus", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.FAST, by=HARDWARE_SUITE,
    holds="every GPU is listed, of its model and memory; no row waits to be remapped or could not be, no SRAM errors",
    accuses="gpus", runbook="gpu", hardware=True, essential=True,
)  # fmt: skip
def gpus(facts: Facts) -> Instances:
    machine = facts.machine
    reach = expectations.count("GPUs", machine.gpus, machine.key)
    yield In(f"the node shows {machine.gpus} healthy GPUs of its model and memory", reach)


@define(
    id="node.driver", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.FAST, by=HARDWARE_SUITE,
    holds="the release's driver is installed and loaded, and its library has its version",
    accuses="driver", runbook="driver", hardware=True, essential=True,
)  # fmt: skip
def driver(facts: Facts) -> Instances:
    version = facts.installed["nvidia_driver"]
    yield In(f"driver {version} is installed and loaded, and its library has its version")


@define(
    id="node.persistence", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=HARDWARE_SUITE,
    holds="persistence mode is on for every GPU", accuses="persistence", runbook="persistence", hardware=True,
)  # fmt: skip
def persistence(_: Facts) -> Instances:
    yield In("the driver keeps every GPU set up while nobody uses it")


@define(
    id="node.clocks", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=HARDWARE_SUITE,
    holds="no GPU is slowed down by heat, hardware or the power brake, its power limit is that of its model (else its board's "
    "default), and MIG is off", accuses="gpus", runbook="clocks", hardware=True,
)  # fmt: skip
def clocks(_: Facts) -> Instances:
    yield In("no GPU is slowed down or limited, and none is cut into parts")


@define(
    id="node.gdrcopy", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, level=Level.QUICK, by=NODE_SUITE,
    holds="GDRCopy's kernel module is loaded in the release's or the image's version, and every user may open its device; a node "
    "on which it could not be built is unproven",
    accuses="gdrcopy", runbook="gdrcopy",
)  # fmt: skip
def gdrcopy(facts: Facts) -> Instances:
    if version := facts.installed.get("gdrcopy"):
        yield In(f"module gdrdrv of GDRCopy {version} is loaded, and every user may open its device")
    else:
        yield Out("no program asks for GDRCopy over these rails, or nodes may load no module that they build")


@define(
    id="node.fabric_manager", subject=Subject.NODE, roles=WORKERS, having=Having.NVSWITCHES, level=Level.QUICK,
    holds="the release's fabric manager runs, the loaded driver has its version, and every GPU is in its fabric; from "
    "NVLink 5 on `ib_umad` is loaded, through which it reaches the switches; where a machine has NVSwitches of its own",
    by=NODE_SUITE, accuses="fabric manager", runbook="fabric-manager", hardware=True,
)  # fmt: skip
def fabric_manager(facts: Facts) -> Instances:
    if version := facts.installed.get("fabric_manager"):
        yield In(
            f"fabric manager {version} runs, with a driver of its version, and every GPU is in its fabric"
        )


@define(
    id="node.dcgm_engine", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=NODE_SUITE,
    holds="DCGM has the release's version, its host engine answers, and it sees the GPUs that the driver sees",
    accuses="dcgm", runbook="dcgm", hardware=True,
)  # fmt: skip
def dcgm_engine(facts: Facts) -> Instances:
    if version := facts.installed.get("dcgm"):
        reach = expectations.count("GPUs", facts.machine.gpus, facts.machine.key)
        yield In(f"DCGM {version} answers and sees every GPU", reach)


@define(
    id="node.dcgm", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=DIAGNOSTICS,
    holds="every test of DCGM's diagnostics passes on every GPU (level 1 in a quick run, else 3 where no job can begin beside "
    "it, 2 on nodes in service), and its watches see no incident meanwhile", accuses="dcgm", runbook="dcgm", hardware=True,
)  # fmt: skip
def dcgm(facts: Facts) -> Instances:
    if "dcgm" in facts.installed:
        yield In("DCGM's diagnostics pass on every GPU")


@define(
    id="node.nvlink", subject=Subject.NODE, roles=WORKERS, having=Having.NVSWITCHES, level=Level.QUICK,
    by=HARDWARE_SUITE, holds="every NVLink of every GPU is up at its rate",
    accuses="nvlink", runbook="nvlink", hardware=True, essential=True,
)  # fmt: skip
def nvlink(facts: Facts) -> Instances:
    if facts.machine.nvlink_links:
        yield In("every NVLink of every GPU is up at its rate")
    else:
        yield Out(f"the GPUs of {facts.machine.key} have no NVLink")


@define(
    id="node.xid", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK,
    by=HARDWARE_SUITE, holds="the driver wrote no XID that points at hardware, and no fatal SXid, since the node booted",
    accuses="xid", runbook="xid", hardware=True, essential=True,
)  # fmt: skip
def xid(_: Facts) -> Instances:
    yield In("the driver wrote no XID that points at hardware since the node booted")


@define(
    id="node.pcie", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK,
    by=HARDWARE_SUITE, holds="the PCIe link of every GPU has all of its lanes, that of every rail's card also its speed; a "
    "virtual function shows none", accuses="pcie", runbook="pcie", hardware=True,
)  # fmt: skip
def pcie(_: Facts) -> Instances:
    yield In("the PCIe links of GPUs and rail cards have all lanes, those of cards their speed")


@define(
    id="node.aer", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=HARDWARE_SUITE,
    holds="the kernel counted no uncorrected PCIe error of a GPU or a rail's card since the boot",
    accuses="pcie", runbook="pcie",
    hidden={"lab": "the lab's GPUs and rails are stand-ins, and count no PCIe errors"},
)  # fmt: skip
def aer(facts: Facts) -> Instances:
    if facts.own_bridges:
        yield In("the kernel counted no uncorrected PCIe error of a GPU or a rail's card")
    else:
        yield Out("errors of the node's PCI devices are reported to their host, not to the node")


@define(
    id="node.affinity", subject=Subject.NODE, roles=WORKERS, having=Having.RAILS, level=Level.QUICK, by=NODE_SUITE,
    holds="every rail's cards are those nearest to its GPUs on the PCIe tree, as many and as fast as wanted, under the names "
    "that jobs use",
    accuses="rails", runbook="affinity", hardware=True,
    hidden={"container": "a container's GPUs and rails are no PCI devices, so nothing says which is near which"},
)  # fmt: skip
def affinity(facts: Facts) -> Instances:
    if facts.machine.transport == "tcp":
        yield Out("rails over TCP have no RDMA device that a GPU could be near to")
    else:
        yield In("every rail's cards are those nearest to its GPUs on the PCIe tree")


@define(
    id="node.containers", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, level=Level.QUICK, by=NODE_SUITE,
    holds="enroot and NVIDIA's toolkit have the release's versions, and users may unpack images and make user namespaces",
    accuses="containers", runbook="containers", hardware=True,
)  # fmt: skip
def containers(facts: Facts) -> Instances:
    if {"enroot", "container_toolkit"} <= facts.installed.keys():
        yield In("jobs may run in containers, which get the node's GPUs")


FP8 = ("hopper", "blackwell", "blackwell-ultra")
"""Architectures whose tensor cores multiply in FP8 (NVIDIA Hopper Architecture In-Depth; Blackwell Architecture Brief)."""
WITHOUT_TORCH = "nodes get no PyTorch, which computes"
SLOW = "no GPU is far below the others of its model, nor below a floor where its maker published a peak"


def _computed(facts: Facts, statement: str, reach: Expectation | None = None) -> Instances:
    yield In(statement, reach) if "torch" in facts.installed else Out(WITHOUT_TORCH)


def _rate(facts: Facts, unit: str, peak: float | None, what: str, statement: str) -> Instances:
    return _computed(facts, statement, expectations.gpu_rate(facts.machine, unit, peak, what))


@define(
    id="node.training_stack", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=NODE_SUITE,
    holds="PyTorch has the release's version and loads, with the NCCL of its own locked list, and sees a GPU where the driver "
    "lists one",
    accuses="training stack", runbook="training-stack", hardware=True,
)  # fmt: skip
def training_stack(facts: Facts) -> Instances:
    return _computed(
        facts, f"PyTorch {facts.installed.get('torch', '')} loads with its NCCL, and sees the GPUs"
    )


@define(
    id="gpu.gemm.bf16", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=GPU_PROBE,
    holds=f"every GPU multiplies matrices in BF16, all of a node at once: {SLOW}", accuses="gpus", runbook="gpu-rate",
    hardware=True,
)  # fmt: skip
def gemm_bf16(facts: Facts) -> Instances:
    return _rate(
        facts, "TFLOPS", facts.machine.gpu_bf16_tflops, "bf16", "every GPU multiplies in BF16 at its rate"
    )


@define(
    id="gpu.gemm.fp8", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=GPU_PROBE,
    holds=f"the same in FP8, where the architecture has it: {SLOW}", accuses="gpus", runbook="gpu-rate", hardware=True,
)  # fmt: skip
def gemm_fp8(facts: Facts) -> Instances:
    machine = facts.machine
    if machine.gpu_architecture not in FP8:
        return iter([Out(f"GPUs of the architecture {machine.gpu_architecture} have no FP8")])
    return _rate(facts, "TFLOPS", machine.gpu_fp8_tflops, "fp8", "every GPU multiplies in FP8 at its rate")


@define(
    id="gpu.gemm.fp64", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=GPU_PROBE,
    holds=f"the same in FP64: {SLOW}", accuses="gpus", runbook="gpu-rate", hardware=True,
)  # fmt: skip
def gemm_fp64(facts: Facts) -> Instances:
    return _rate(
        facts, "TFLOPS", facts.machine.gpu_fp64_tflops, "fp64", "every GPU multiplies in FP64 at its rate"
    )


@define(
    id="gpu.hbm", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=GPU_PROBE,
    holds=f"every GPU copies within its memory, all of a node at once: {SLOW}", accuses="gpus", runbook="gpu-rate", hardware=True,
)  # fmt: skip
def hbm(facts: Facts) -> Instances:
    return _rate(
        facts, "GB/s", facts.machine.gpu_memory_gbytes_per_s, "hbm", "every GPU copies within its memory at its rate"
    )  # fmt: skip


@define(
    id="gpu.copies", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=GPU_PROBE,
    holds="every GPU copies from and to the host, one after the other: none is far below the others of its model", accuses="gpus",
    runbook="gpu-rate", hardware=True,
)  # fmt: skip
def copies(facts: Facts) -> Instances:
    return _rate(
        facts, "GB/s", None, "host copy", "every GPU copies from and to the host at the rate of the others"
    )


@define(
    id="gpu.p2p", subject=Subject.NODE, roles=WORKERS, having=Having.NVSWITCHES, by=GPU_PROBE,
    holds="every GPU copies to every other one of its node, one pair after the other: every byte arrives, and no pair is far "
    "below the others of the fleet, nor below a floor where NVLink's rate is known", accuses="nvlink", runbook="gpu-peers",
    hardware=True,
)  # fmt: skip
def p2p(facts: Facts) -> Instances:
    if not facts.machine.nvlink_links:
        return iter([Out(f"the GPUs of {facts.machine.key} have no NVLink")])
    return _computed(
        facts, "every GPU copies to every other one at its rate", expectations.peer_rate(facts.machine)
    )


@define(
    id="gpu.nvlink_errors", subject=Subject.NODE, roles=WORKERS, having=Having.NVSWITCHES, by=NVLINK_COUNTERS,
    holds="while copies between GPUs and collectives loaded the NVLinks of the node, no link counted a replay or a recovery, and "
    "none 100 checksum errors a second", accuses="nvlink", runbook="nvlink", hardware=True,
)  # fmt: skip
def nvlink_errors(facts: Facts) -> Instances:
    if not facts.machine.nvlink_links:
        yield Out(f"the GPUs of {facts.machine.key} have no NVLink")
    elif facts.machine.nvlink_generation > COUNTED_GENERATION:
        reason = "counts errors by other names, which this release does not read"
        yield Out(f"NVLink {facts.machine.nvlink_generation} {reason}")
    elif not {"nccl_tests", "torch"} & set(facts.installed):
        yield Out("nodes get nothing that loads NVLinks")
    else:
        yield In("no NVLink counts replays or recoveries under load")


@define(
    id="gpu.determinism", subject=Subject.NODE, roles=WORKERS, having=Having.GPUS, by=GPU_PROBE,
    holds="every GPU computes the same bits each time, and those of more than half of the GPUs of its model and libraries",
    accuses="gpus", runbook="gpu-results", hardware=True,
)  # fmt: skip
def determinism(facts: Facts) -> Instances:
    return _computed(facts, "every GPU computes the same bits each time, and those that the others compute")
