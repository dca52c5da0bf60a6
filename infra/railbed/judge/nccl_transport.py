"""What NCCL's own log says of the way that data took: ``fabric.transport.nccl_log`` and ``fabric.gpudirect``. Pure."""

from __future__ import annotations

from railbed.claims import Judged, Verdict
from railbed.parse.nccl_debug import NcclLog

LOG, GPUDIRECT = "fabric.transport.nccl_log", "fabric.gpudirect"
NETWORKS = {
    "infiniband": ("NET/IB",),
    "roce": ("NET/IB", "NET/gIB"),
    "efa": ("NET/AWS Libfabric", "NET/OFI", "NET/Libfabric"),
}
"""Transport of the rails → how NCCL calls connections over them: its own verbs transport, Google's plugin, AWS' plugin."""
SILENT = "NCCL's log names no connection between nodes"


def judge_log(log: NcclLog, transport: str) -> Judged:
    """Whether every connection that leaves a node is over the fabric."""
    used = {name: number for name, number in log.transports.items() if name.startswith("NET/")}
    detail = {"connections": used, "network": log.network, "plugin": log.plugin, "version": log.version}
    foreign = {
        name: number for name, number in used.items() if not name.startswith(NETWORKS.get(transport, ()))
    }
    told = ", ".join(f"{number} over {name}" for name, number in sorted(used.items()))
    if log.uses_sockets:
        verdict, reason = Verdict.FAIL, f"NCCL uses sockets: {told or log.network}"
    elif not used:
        verdict, reason = Verdict.UNPROVEN, SILENT
    elif foreign:
        verdict, reason = (
            Verdict.UNPROVEN,
            f"{', '.join(sorted(foreign))} is no name known for {transport} rails: {told}",
        )
    else:
        verdict, reason = Verdict.PASS, f"connections between nodes: {told}"
    return Judged(claim=LOG, node="", verdict=verdict, reason=reason, detail=detail)


def judge_gpudirect(log: NcclLog) -> Judged:
    """Whether every connection that leaves a node reads and writes GPU memory directly."""
    direct, every = log.gpudirect_connections, log.network_connections
    detail = {"gpudirect": direct, "connections": every}
    if log.gpudirect is None:
        verdict, reason = Verdict.UNPROVEN, SILENT
    elif log.gpudirect:
        verdict, reason = Verdict.PASS, f"all {every} connections between nodes use GPUDirect RDMA"
    else:
        why = (
            f"{direct} of {every} connections between nodes use it"
            if every
            else "NCCL says that it is disabled"
        )
        verdict, reason = Verdict.FAIL, f"GPUDirect RDMA: {why}"
    return Judged(claim=GPUDIRECT, node="", verdict=verdict, reason=reason, detail=detail)
