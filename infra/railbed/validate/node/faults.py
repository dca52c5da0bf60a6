"""Which faults drain a node and which are only reported: one table. A fault that is not in it never drains.

Only what is certain to be the node's own, and stops a job on it, drains. What nodes share (a filesystem, the scheduler, time,
names) looks the same from each of them: draining for it would take the whole fleet out of service and mend nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A row: may a node drain itself for it, what it is a fault of, and why it is handled so."""

    code: str
    drains: bool
    part: str
    why: str


def _table(*rows: Fault) -> dict[str, Fault]:
    return {row.code: row for row in rows}


FAULTS = _table(
    Fault("gpu-lost", True, "gpu", "the GPU fell off the bus (XID 79): every job that asks for it fails"),
    Fault("gpu-missing", True, "gpu", "the scheduler offers more GPUs than there are"),
    Fault("gpu-model", True, "gpu", "a GPU of another kind slows the whole job, or does not fit its memory"),
    Fault("gpu-memory", True, "gpu", "less memory than the model has: jobs run out of it"),
    Fault("gpu-ecc", True, "gpu", "uncorrectable SRAM errors: the results of a job cannot be trusted"),
    Fault("gpu-row-failed", True, "gpu", "no spare row is left: the next error ends a job (replace the GPU)"),
    Fault("gpu-row-pending", True, "gpu", "a row is remapped by a reset, which needs the node without jobs"),
    Fault("driver-version", True, "driver", "another driver than the cluster's: NCCL and CUDA may not start"),
    Fault("driver-library", True, "driver", "module and library differ: no program can open a GPU"),
    Fault("driver-silent", True, "driver", "the driver is not loaded: no program can open a GPU"),
    Fault(
        "driver-hung", True, "driver", "a call into the driver does not end: every job's next one hangs too"
    ),
    Fault("nic-missing", True, "rail", "the rail's card is gone: every job over the rails fails or hangs"),
    Fault("nic-down", True, "rail", "the rail has no link; a switch that takes many down meets the limit"),
    Fault("nic-rate", True, "rail", "the link came up slower than its card: every job waits for this rail"),
    Fault("nic-mtu", True, "rail", "packets of another size are dropped: collectives hang"),
    Fault("nic-address", True, "rail", "the rail cannot be reached, or is taken for another node's"),
    Fault("filesystem-absent", False, "filesystem", "shared: its server being away looks the same from here"),
    Fault("filesystem-foreign", False, "filesystem", "shared: all clients may have been given another mount"),
    Fault("filesystem-silent", False, "filesystem", "shared: a frozen server and a frozen client look alike"),
    Fault("scheduler-silent", False, "scheduler", "shared: without it nobody knows how many nodes are out"),
    Fault("time-wrong", False, "time", "shared: all nodes follow the same source"),
    Fault("names-silent", False, "name service", "shared: all nodes ask the same servers"),
    Fault("not-drained", False, "drain limit", "a fault that would drain, held back by the limit"),
    Fault("held", False, "hold-down", "a fault that came back too often: a person has to check"),
    Fault("unknown", False, "health check", "what could not be checked is neither healthy nor broken"),
)


RUNBOOKS = {
    "gpu": "gpu", "driver": "driver", "rail": "nics", "filesystem": "mounts", "scheduler": "scheduler", "time": "time",
    "name service": "name-servers", "drain limit": "node-health", "hold-down": "node-health", "health check": "node-health",
}  # fmt: skip
"""Part → the page of docs/runbooks that says what to do."""


def runbook(code: str) -> str:
    """Name of the page that says what to do for a fault. Raises KeyError for one that is not in the table."""
    return "xid" if code == "gpu-lost" else RUNBOOKS[FAULTS[code].part]


def drains(code: str) -> bool:
    """Whether a node may drain itself for the fault."""
    return code in FAULTS and FAULTS[code].drains


def shared(code: str) -> bool:
    """Whether the fault is of something that all nodes use."""
    return code in FAULTS and FAULTS[code].part in ("filesystem", "scheduler", "time", "name service")
