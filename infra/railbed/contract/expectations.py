"""What a node should be, for what runs on it: the on-node suite and the health check. Pure."""

from __future__ import annotations

import re
from typing import Any

from railbed.contract import nccl
from railbed.contract.parts import Nic, Node, Rail
from railbed.contract.whole import Contract
from railbed.defaults import PROCESSORS, READ_REQUEST_BYTES, ROCE, SCHEDULED_MEMORY_SHARE, TIME_OFFSET_S
from railbed.software import slurm_api, training

NOFILE_MIN = 16384
"""Files that a job step must be able to open: one socket per peer and rail, and the data loaders' own."""
MEMLOCK_MIN_KIB = 8192
"""Memory that a step must be able to lock where no RDMA is used: systemd's own default (systemd-system.conf(5)).
RDMA pins whatever it moves, so there the limit must be off."""

PINNED = {
    "nvidia_driver": "driver", "fabric_manager": "fabric manager", "nvlsm": "fabric manager", "cuda": "cuda",
    "dcgm": "dcgm", "container_toolkit": "container runtime", "nccl": "nccl",
}  # fmt: skip
"""Software components whose packages must not move, and the part that is to blame where one did."""
KERNEL = "kernel"
"""Of this the release locks the version that runs; which package brings it is the image's choice."""
BARE = "acs_nodes"
"""Group of the nodes whose PCI bridges are their own: no host is above them."""
PROVIDED = "imds_nodes"
"""Group of the nodes that a cloud provides."""
CONTAINERS = ("container_toolkit", "enroot")
"""Of these, what a job's containers need."""


def of(contract: Contract, node: Node) -> dict[str, Any]:
    """The keys of /etc/railbed/expectations.json; plain JSON data. A version is the release's, or a range (``>=580, <600``) where
    the node's image brings it."""
    software, one = contract.software, contract.class_of(node)
    components, image = one.components, one.image
    versions = {
        **components,
        **{name: part.accepts for name, part in image.brings.items()},
        **image.follows,
    }
    named = {
        name: software.packages[name] for name in components if name in software.packages and name != KERNEL
    }
    machine = contract.machine(node.machine) if node.machine else None
    dns = contract.services.dns
    return {
        "node": node.name,
        "role": node.role,
        "pool": node.pool,
        "gpus": node.gpus,
        "gpu_model": machine.gpu_model if machine else "",
        "gpu_memory_mib": machine.gpu_memory_mib if machine else None,
        "gpu_power_w": machine.gpu_power_w if machine else None,
        "memory_mib": node.memory_mib,
        "memory_floor_mib": int(node.memory_mib * SCHEDULED_MEMORY_SHARE),
        "kernel": versions.get(KERNEL, ""),
        "boot_line": list(one.boot_line),
        "bare_metal": BARE in one.groups,
        "processors": dict(PROCESSORS),
        "read_request_bytes": READ_REQUEST_BYTES,
        "roce": dict(ROCE),
        "driver": versions.get("nvidia_driver", ""),
        "fabric_manager": versions.get("fabric_manager", ""),
        "nvlsm": versions.get("nvlsm", ""),
        "dcgm": versions.get("dcgm", ""),
        "gdrcopy": versions.get("gdrcopy", ""),
        "nvlinks": machine.nvlink_links if machine else 0,
        "nvlink_gbytes_per_s": machine.nvlink_gbytes_per_s if machine else 0.0,
        "containers": {name: versions[name] for name in CONTAINERS if name in versions},
        "image": image.model_dump(mode="json"),
        "release": software.release,
        "held_packages": {named[name]: blamed for name, blamed in PINNED.items() if name in named},
        "image_parts": {name: blamed for name, blamed in PINNED.items() if name in image.brings},
        "rails": _nics(contract.nics(node), machine.transport if machine else ""),
        "mounts": [
            {"path": one.mount, "kind": one.kind, "server": one.metadata_server} for one in contract.filesystems
        ]
        if node.role != "storage"
        else [],
        "login": node.ssh.user,
        "imds": list(contract.imds),
        "name_servers": list(dns.servers) if dns else [],
        "name_search": list(dns.search) if dns else [],
        "packages": {
            # What follows the image's driver has its version, which no release knows.
            **{name: pin.removesuffix("-*") for name, pin in one.packages.items() if pin and pin[0] != "@"},
            **{
                package: _locked(components[name], software.package_versions.get(name, ""))
                for name, package in named.items()
            },
        },
        "directory": _directory(contract),
        "pkey": contract.pkey,
        "nccl": nccl.settings(contract, node),
        "training": {
            "path": software.training_stack_path,
            "torch": versions.get("torch", ""),
            "nccl": training.nccl_of(versions.get("torch", "")),
            "device": machine.trains_on if machine else "",
        },
        "scheduler_api": slurm_api.of(versions.get("slurm", "")) if contract.scheduler_api != "none" else "",
        "nofile_min": NOFILE_MIN,
        "memlock_min_kib": MEMLOCK_MIN_KIB if machine and machine.transport == "tcp" else None,
        "time_offset_s": TIME_OFFSET_S,
        "time_source": contract.hosts == "machine",
    }  # fmt: skip


def _directory(contract: Contract) -> dict[str, Any] | None:
    """What a node must find in the directory of people; None where there is none."""
    directory = contract.services.directory
    if directory is None:
        return None
    return {"groups": list(directory.groups), "admins": sorted(contract.admins)}


def _nics(nics: list[tuple[Rail, Nic]], transport: str) -> list[dict[str, Any]]:
    """Each card of each rail. Only the first card of a rail carries the rail's address.

    Of EFA no rate is expected: its driver says 100 Gb/s of every card, newer ones where the card does not tell (Linux,
    efa_verbs.c: EFA_DEFAULT_LINK_SPEED_GBPS), and a node whose cards run slower than they should drains itself.
    """
    first = {rail.index: nic for rail, nic in reversed(nics)}
    return [
        {
            "index": rail.index,
            "device": nic.device,
            "netdev": nic.netdev,
            "address": rail.address if nic is first[rail.index] else "",
            "mtu": rail.mtu,
            "rate_gbps": nic.rate_gbps if transport != "efa" else 0.0,
        }
        for rail, nic in nics
    ]


def _locked(version: str, package: str) -> str:
    """The version that the package must have: its own where it is numbered otherwise than what is in it."""
    own = re.sub(r"^\d+:|-[^-]*$", "", package)
    return package if own and own != version else version
