"""The lab's hosts as resources, and their part of the contract."""

from __future__ import annotations

from typing import Any

import pulumi

from railbed import contract
from railbed.effects.lab import baked, names
from railbed.effects.lab.training import training_path
from railbed.effects.secrets import public_key
from railbed.effects.workspace import Workspace
from railbed.plan import ClusterPlan, PlannedHost, node_classes

MBIT_PER_GBIT = 1000
REPOSITORY_TARGET = "/srv/railbed/repository"
TYPES = {"container": "railbed:lab:Host", "machine": "railbed:lab:Machine"}
"""What a host is → type of the resource."""


def kind_of(plan: ClusterPlan, planned: PlannedHost) -> str:
    """Container or machine."""
    return node_classes.hosts_of(planned.role, plan.hosts, node_classes.LAB)


def host(
    plan: ClusterPlan,
    work: Workspace,
    planned: PlannedHost,
    image: pulumi.Resource,
    depends_on: list[pulumi.Resource],
) -> pulumi.CustomResource:
    """One host; its rails' rates and burst are the catalogue's."""
    own = next((pool for pool in plan.pools if pool.name == planned.pool), None)
    machine = (own or plan.pools[0]).machine
    outputs: Any = image
    kind = kind_of(plan, planned)
    made_from = outputs.image if kind == plan.hosts else outputs.containers
    properties = {
        "lab_id": work.lab_id,
        "lab_dir": str(work.lab_dir),
        "name": planned.name,
        "address": f"{planned.address}/{planned.prefix}",
        "octet": int(planned.address.rsplit(".", 1)[1]),
        "mtu": machine.mtu,
        "image": baked.lower(own.image) if own and own.image else made_from,
        "authorized_key": public_key(work.operator_key),
        "gpus": planned.gpus,
        "gpu_model": machine.gpu_model,
        "gpu_memory_mib": machine.gpu_memory_mib,
        "rails": [
            {
                "index": rail.index, "address": rail.address, "mtu": rail.mtu,
                "rate_mbit": round(rail.rate_gbps * MBIT_PER_GBIT, 3), "burst_kib": machine.burst_kib,
            }
            for rail in planned.rails
        ],
        "binds": _binds(plan, work, planned, outputs),
        "running": True,
        "host_key": None,
        "machine_id": None,
    }  # fmt: skip
    if planned.rails and machine.transport == "roce":
        properties["roce"] = True
    # Both types make the host in the same folder, so a host of the other kind is this one before: the engine must replace it,
    # not make a second one and then delete the first, folder and all.
    before = [pulumi.Alias(type_=typ) for one, typ in TYPES.items() if one != kind]
    options = pulumi.ResourceOptions(depends_on=depends_on, aliases=before)
    return _Host(TYPES[kind], planned.name, properties, options)


class _Host(pulumi.CustomResource):
    """``railbed:lab:Host`` or ``railbed:lab:Machine``."""

    host_key: pulumi.Output[str]
    machine_id: pulumi.Output[str]

    def __init__(
        self, typ: str, name: str, properties: dict[str, Any], options: pulumi.ResourceOptions
    ) -> None:
        super().__init__(typ, name, properties, options)


def _binds(plan: ClusterPlan, work: Workspace, planned: PlannedHost, image: Any) -> list[dict[str, Any]]:
    binds = [{"source": image.repository, "target": REPOSITORY_TARGET, "read_only": True}]
    if planned.gpus:
        training = str(training_path(work.root / "tools"))
        binds.append({"source": training, "target": plan.software.training_stack_path, "read_only": True})
    for filesystem in plan.filesystems:
        if planned.name in filesystem.data_servers:
            folder = work.lab_dir / "filesystems" / filesystem.name / planned.name
            binds.append({"source": str(folder), "target": filesystem.data_path, "read_only": False})
    return binds


def identity(plan: ClusterPlan, work: Workspace, planned: PlannedHost, machine_id: str) -> contract.Identity:
    """The host's identity: a container's machine id; a machine's serial number, which firmware shows."""
    if kind_of(plan, planned) == "machine":
        return contract.Identity(kind="serial", value=names.serial(work.lab_id, planned.name))
    return contract.Identity(kind="machine_id", value=machine_id)


def node(work: Workspace, planned: PlannedHost, host_key: str, identity: contract.Identity) -> contract.Node:
    """The host's entry in the contract: reached from the lab's own namespace through a passed descriptor."""
    rails = [
        contract.Rail(
            index=rail.index, address=rail.address, mtu=rail.mtu, rate_gbps=rail.rate_gbps,
            nics=[contract.Nic(**nic.model_dump()) for nic in rail.nics],
        )
        for rail in planned.rails
    ]  # fmt: skip
    return contract.Node(
        name=planned.name, pool=planned.pool, role=planned.role, machine=planned.machine, gpus=planned.gpus,
        cpus=planned.cpus, memory_mib=planned.memory_mib, address=planned.address,
        ssh=reached(work, host_key),
        rails=rails, scalable_unit=planned.scalable_unit,
        identity=identity,
    )  # fmt: skip


def reached(work: Workspace, host_key: str) -> contract.Ssh:
    """How a host of the lab is reached."""
    way = contract.Netns(namespace=names.control_namespace(work.lab_id))
    return contract.Ssh(user="root", proxy=way, host_keys=[host_key])
