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
    instead: Mapping[str, str] = field(default_factory=dict)
    """Transport → the program that measures there in place of ``tool``."""

    def _absent(self, transports: Iterable[str]) -> dict[str, str]:
        return {name: self.lacking[name] for name in sorted(set(transports)) if name in self.lacking}

    def tool_for(self, transports: Iterable[str]) -> str:
        """The program; empty where nothing can answer there."""
        if not self.step or self._absent(transports):
            return ""
        return ", ".join(sorted({self.instead.get(name, self.tool) for name in transports})) or self.tool

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


PERFTEST = {"roce": "ib_write_bw", "infiniband": "ib_write_bw"}

NODE_SUITE = Measurement("on-node checks", "the on-node suite")
SCHEDULER = Measurement("scheduler", "scontrol")
DIAGNOSTICS = Measurement("diagnostics", "dcgmi")
CABLING = Measurement(
    "cabling", "lldpcli", {"efa": "the provider's own tools"}, {"infiniband": "ibnetdiscover"}
)
RAILS = Measurement("rails", "iperf3", {"efa": "fi_rma_bw"}, PERFTEST)
COLLECTIVES = Measurement("collectives", "nccl-tests")
NCCL_LOG = Measurement("collectives", "NCCL's own log")
STORAGE = Measurement("storage", "storage_probe")
CHECKPOINT = Measurement("checkpoint", "checkpoint_probe")
JOB = Measurement("job", "the reference job")
MEASUREMENTS = (
    SCHEDULER,
    NODE_SUITE,
    DIAGNOSTICS,
    CABLING,
    RAILS,
    COLLECTIVES,
    NCCL_LOG,
    STORAGE,
    CHECKPOINT,
    JOB,
)
"""Those that this release has, in the order in which a validation runs them."""


def missing(tool: str) -> Measurement:
    """No measurement: ``tool`` would be one."""
    return Measurement("", tool)
