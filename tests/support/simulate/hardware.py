"""The simulated hardware: what can be loaded, and how much each bears."""

from __future__ import annotations

from dataclasses import dataclass

Resource = tuple[str, int, int]
"""Kind, node, and GPU, rail, socket or partner of it."""


@dataclass(frozen=True)
class Cluster:
    """Nodes alike, each with GPUs on an NVLink switch and one NIC per rail. One direction each, GB/s."""

    nodes: int
    gpus: int = 8
    rails: int = 8
    nic_gbytes_per_s: float = 50.0
    wire_share: float = 0.98
    """Of the NIC's rate, what headers leave for payload."""
    nvlink_gbytes_per_s: float = 450.0
    """Of one GPU."""
    ring_share: float = 0.82
    """Of NVLink, what is left by a ring's protocol."""
    nvls_share: float = 0.685
    """Of NVLink, what reduction inside the switch reaches."""
    sockets: int = 2
    host_gbytes_per_s: float = 100.0
    """Of one socket's memory, for traffic that is staged there."""
    staged_gbytes_per_s: float = 20.0
    """Of one NIC that gets its data by way of the host's memory."""
    start_s: float = 20e-6
    """Before the first byte of a collective."""
    hop_s: float = 5e-6
    """Each step of a ring, or level of a tree."""

    def __post_init__(self) -> None:
        counts = (self.nodes, self.gpus, self.rails, self.sockets)
        rates = (self.nic_gbytes_per_s, self.nvlink_gbytes_per_s, self.host_gbytes_per_s)
        if min(counts) < 1 or min(rates) <= 0:
            raise ValueError("a cluster has at least one of everything, at a positive rate")

    @property
    def ranks(self) -> int:
        """GPUs of all nodes."""
        return self.nodes * self.gpus

    def capacity(self, resource: Resource) -> float:
        """GB/s that a healthy resource bears; without limit for ways between nodes."""
        kind = resource[0]
        if kind in ("nic_out", "nic_in"):
            return self.nic_gbytes_per_s * self.wire_share
        if kind in ("ring_out", "ring_in"):
            return self.nvlink_gbytes_per_s * self.ring_share
        if kind in ("nvls_out", "nvls_in"):
            return self.nvlink_gbytes_per_s * self.nvls_share
        return {"host": self.host_gbytes_per_s, "staged": self.staged_gbytes_per_s}.get(kind, float("inf"))
