"""What answers claims: the step of a validation that runs it, its tool, and the transports that it can measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measurement:
    """One way to answer claims."""

    step: str
    """Step of `railbed validate`; empty where this release has none."""
    tool: str
    """The program that measures, for people; without a step the one that would."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Transport → the programs that would measure it, and that this release does not run."""

    def _absent(self, transports: Iterable[str]) -> dict[str, str]:
        return {name: self.lacking[name] for name in sorted(set(transports)) if name in self.lacking}

    def tool_for(self, transports: Iterable[str]) -> str:
        """The program; empty where nothing can answer there."""
        return self.tool if self.step and not self._absent(transports) else ""

    def lacking_for(self, transports: Iterable[str]) -> str:
        """Why nothing can answer there; empty where something can."""
        if not self.step:
            return f"this release does not run {self.tool} yet"
        absent = self._absent(transports)
        if not absent:
            return ""
        rails = ", ".join(absent)
        programs = ", ".join(dict.fromkeys(absent.values()))
        return f"{rails} rails are measured by {programs}, which this release does not run yet"


RDMA = {
    "roce": "ib_write_bw and NCCL",
    "infiniband": "ib_write_bw and NCCL",
    "efa": "fi_rma_bw and NCCL",
}
"""A TCP stream says nothing of such a rail, good or bad."""

NODE_SUITE = Measurement("on-node checks", "the on-node suite")
SCHEDULER = Measurement("scheduler", "scontrol")
RAILS = Measurement("rails", "iperf3", RDMA)
COLLECTIVES = Measurement("collectives", "railbed-collectives", RDMA)
STORAGE = Measurement("storage", "storage_probe")
CHECKPOINT = Measurement("checkpoint", "checkpoint_probe")
JOB = Measurement("job", "the reference job")
MEASUREMENTS = (SCHEDULER, NODE_SUITE, RAILS, COLLECTIVES, STORAGE, CHECKPOINT, JOB)
"""Those that this release has, in the order in which a validation runs them."""


def missing(tool: str) -> Measurement:
    """No measurement: ``tool`` would be one."""
    return Measurement("", tool)
