"""What answers claims: the step of a validation that runs it, and its tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Reach(StrEnum):
    """How this release gets at the nodes of a cluster."""

    LOGIN = "login"
    """By SSH, and by steps of Slurm."""
    API = "api"
    """Through Kubernetes' API, which says what it knows of them; nothing runs on them."""
    JOBS = "jobs"
    """Through Kubernetes' API, and by a Job on each node."""


@dataclass(frozen=True)
class Measurement:
    """One way to answer claims."""

    step: str
    """Step of `railbed validate`; empty where this release has none."""
    tool: str
    """The program that measures, for people; without a step the one that would."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """Transport → the program that measures there in place of ``tool``."""
    on_kubernetes: str = ""
    """What measures where Kubernetes is the scheduler, and nodes take no login; empty: nothing of this release does."""
    in_a_job: str = ""
    """What measures there in a Job on each node; empty: nothing of this release does."""

    def tool_for(self, transports: Iterable[str], reach: Reach = Reach.LOGIN) -> str:
        """The program; empty where nothing can answer."""
        if reach is not Reach.LOGIN:
            return (self.in_a_job if reach is Reach.JOBS else "") or self.on_kubernetes
        if not self.step:
            return ""
        return ", ".join(sorted({self.instead.get(name, self.tool) for name in transports})) or self.tool

    def lacking(self, reach: Reach = Reach.LOGIN) -> str:
        """Why nothing can answer; empty where something can."""
        if not self.step:
            return f"this release does not run {self.tool} yet"
        if reach is not Reach.LOGIN and not self.tool_for((), reach):
            if self.in_a_job:
                return "the spec names no image for checks on the nodes (`platform.checks`)"
            return f"this release does not run {self.tool} on Kubernetes yet"
        return ""


PERFTEST = {
    "roce": "ib_write_bw", "infiniband": "ib_write_bw", "efa": "ib_write_bw", "efa that only reads": "ib_read_bw",
}  # fmt: skip

PERFTEST_LATENCY = {"roce": "ib_write_lat", "infiniband": "ib_write_lat", "efa": "ib_send_lat"}

NODE_SUITE = Measurement("on-node checks", "the on-node suite")
HARDWARE_SUITE = Measurement("on-node checks", "the on-node suite", in_a_job="the on-node suite in a Job")
"""Of the same suite: what holds by the machine, whoever installed it. The rest asks for what the roles install."""
SCHEDULER = Measurement("scheduler", "scontrol", on_kubernetes="the Kubernetes API")
DIAGNOSTICS = Measurement("diagnostics", "dcgmi")
GPU_PROBE = Measurement("GPU performance", "gpu_probe")
NODE_COLLECTIVES = Measurement("collectives inside nodes", "nccl-tests")
NVLINK_COUNTERS = Measurement("NVLink counters", "nvidia-smi nvlink")
CABLING = Measurement("cabling", "lldpcli", {"infiniband": "ibnetdiscover"})
RAILS = Measurement("rails", "iperf3", PERFTEST)
LATENCY = Measurement("paths between nodes", "iperf3", PERFTEST_LATENCY)
PATHS = Measurement("paths between nodes", "iperf3", PERFTEST)
COLLECTIVES = Measurement("collectives", "nccl-tests")
CARD_COLLECTIVES = Measurement("collectives over cards", "nccl-tests")
NCCL_LOG = Measurement("collectives", "NCCL's own log")
PORT_COUNTERS = Measurement("port counters", "the kernel's port counters")
OPTICS = Measurement("optics", "mlxlink")
STORAGE = Measurement("storage", "storage_probe")
FIO = Measurement("storage", "fio")
CHECKPOINT = Measurement("checkpoint", "checkpoint_probe")
CONTAINER = Measurement("containers", "srun --container-image")
JOB = Measurement("job", "the reference job")
FINETUNING = Measurement("fine-tuning jobs", "LoRA jobs of Slurm")
INFERENCE = Measurement("inference", "the reference service and its load client")
SCIENCE = Measurement("scientific programs", "HPL and hpcc")
MEASUREMENTS = (
    SCHEDULER,
    NODE_SUITE,
    HARDWARE_SUITE,
    DIAGNOSTICS,
    GPU_PROBE,
    NODE_COLLECTIVES,
    NVLINK_COUNTERS,
    CABLING,
    RAILS,
    LATENCY,
    PATHS,
    COLLECTIVES,
    NCCL_LOG,
    CARD_COLLECTIVES,
    PORT_COUNTERS,
    OPTICS,
    STORAGE,
    FIO,
    CHECKPOINT,
    CONTAINER,
    JOB,
    FINETUNING,
    INFERENCE,
    SCIENCE,
)
"""Those that this release has, in the order in which a validation runs them."""


def missing(tool: str) -> Measurement:
    """No measurement: ``tool`` would be one."""
    return Measurement("", tool)
