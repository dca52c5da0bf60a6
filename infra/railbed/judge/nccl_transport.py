"""What NCCL's own log says of the way that data took: ``fabric.transport.nccl_log`` and ``fabric.gpudirect``. Pure."""

from __future__ import annotations

from collections.abc import Collection

from railbed.claims import Judged, Verdict
from railbed.parse.nccl_debug import NcclLog

LOG, GPUDIRECT = "fabric.transport.nccl_log", "fabric.gpudirect"
NETWORKS = {
    "infiniband": ("NET/IB",),
    "roce": ("NET/IB", "NET/gIB"),
    "efa": ("NET/AWS Libfabric", "NET/OFI", "NET/Libfabric"),
}
"""Transport of the rails → how NCCL calls connections over them: its own verbs transport, Google's plugin, AWS' plugin."""
SOCKETS = "NET/Socket"
SILENT = "NCCL's log names no connection between nodes"


def judge_log(log: NcclLog, transport: str, interfaces: Collection[str] = ()) -> Judged:
    """Whether every connection that leaves a node is over the fabric; ``interfaces`` are those of the rails.

    Over TCP rails the fabric is sockets, and what counts is whose interfaces they use.
    """
    used = {name: number for name, number in log.transports.items() if name.startswith("NET/")}
    detail = {"connections": used, "network": log.network, "plugin": log.plugin, "version": log.version}
    known = (SOCKETS,) if transport == "tcp" else NETWORKS.get(transport, ())
    foreign = sorted(name for name in used if not name.startswith(known))
    connections = ", ".join(f"{number} over {name}" for name, number in sorted(used.items()))
    if log.uses_sockets and transport != "tcp":
        verdict, reason = Verdict.FAIL, f"NCCL uses sockets: {connections or log.network}"
    elif not used:
        verdict, reason = Verdict.UNPROVEN, SILENT
    elif foreign:
        verdict, reason = (
            Verdict.UNPROVEN,
            f"{', '.join(foreign)} is no name known for {transport} rails: {connections}",
        )
    elif transport == "tcp" and (wrong := _other_interfaces(log, interfaces)):
        verdict, reason = Verdict.FAIL, wrong
    else:
        verdict, reason = Verdict.PASS, f"connections between nodes: {connections}"
    return Judged(claim=LOG, node="", verdict=verdict, reason=reason, detail=detail)


def _other_interfaces(log: NcclLog, interfaces: Collection[str]) -> str:
    """What NCCL's sockets use that is no rail, or do not use of the rails; empty where they are the rails'."""
    beside = [name for name in log.devices if name not in interfaces]
    missing = [name for name in interfaces if name not in log.devices]
    problems = [f"NCCL's sockets use {', '.join(beside)}, which is no rail"] if beside else []
    return "; ".join([*problems, *([f"they do not use {', '.join(missing)}"] if missing else [])])


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
