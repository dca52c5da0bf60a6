"""Which nodes get a part of the release: groups by what the contract's release has and what a node is. Pure.

A group is empty where the release brings no such part, and its play is then passed over. A lab's release has only what its
repository has stand-ins for, so a role runs there as soon as there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from railbed.contract import Contract, Node

GPU_ROLES = ("compute", "spare")
OF_GPU_NODES = {
    "nvswitch_nodes": ("fabric_manager",),
    "imex_nodes": ("imex",),
    "cuda_nodes": ("cuda",),
    "nccl_nodes": ("nccl",),
    "nccl_tests_nodes": ("nccl_tests", "nccl", "cuda"),
    "dcgm_nodes": ("dcgm",),
    "container_nodes": ("enroot", "container_toolkit"),
}
"""Group → components that must all be there."""
OF_CONTROLLERS = {"container_nodes": ("enroot", "pyxis")}
"""Jobs are sent from there."""


def groups(contract: Contract) -> dict[str, list[str]]:
    """Group → nodes; every group is there, whoever is in it."""
    found: dict[str, list[str]] = {
        name: [] for name in (*OF_GPU_NODES, "rdma_nodes", "scratch_nodes", "accounting_nodes")
    }
    for node in contract.nodes:
        for name in _of(contract, node):
            found[name].append(node.name)
    if contract.scheduler == "slurm":
        found["accounting_nodes"] = [node.name for node in contract.with_role("controller")[:1]]
    return found


def _of(contract: Contract, node: Node) -> list[str]:
    if node.role == "controller":
        return _with(contract, OF_CONTROLLERS) if contract.scheduler == "slurm" else []
    if node.role not in GPU_ROLES:
        return []
    names = _with(contract, OF_GPU_NODES)
    spans = contract.machine(node.machine).nodes_per_nvlink_domain > 1
    if (node.gpus == 1 or spans) and "nvswitch_nodes" in names:
        names.remove("nvswitch_nodes")
    if not spans and "imex_nodes" in names:
        names.remove("imex_nodes")
    if "nccl_tests_nodes" in names and "nccl_tests" not in contract.software.files:
        names.remove("nccl_tests_nodes")
    if node.rails and contract.machine(node.machine).transport != "tcp":
        names.append("rdma_nodes")
    if not contract.simulated:
        # Drives that a container sees are its host's.
        names.append("scratch_nodes")
    return names


def _with(contract: Contract, wanted: Mapping[str, tuple[str, ...]]) -> list[str]:
    has = contract.software.versions
    return [name for name, components in wanted.items() if all(one in has for one in components)]
