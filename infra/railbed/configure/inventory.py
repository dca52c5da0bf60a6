"""Contract → inventory: groups, variables of all hosts, variables of each host. Pure.

Variables are named ``railbed_…``. What is the same everywhere is a variable of the group ``all``, so that an
inventory grows with the number of nodes and not with its square. What has an entry for each node is text there, taken
apart where a role asks for it: Ansible copies and marks data value by value, for every task of every node.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from railbed.claims import WORKERS
from railbed.configure import health, people, storage_link, wheels
from railbed.configure.job_nodes import job_node
from railbed.contract import (
    Contract,
    File,
    Filesystem,
    Nic,
    Node,
    NodeClass,
    Rail,
    Repository,
    as_observed,
    expectations,
    mounts,
    wanted,
)
from railbed.defaults import NODE_REPOSITORY, PROCESSORS, READ_REQUEST_BYTES, ROCE, WHEELS_PORT
from railbed.effects import acceptance
from railbed.hardware import NodeFacts

ALWAYS = (
    "role_controller", "role_compute", "role_spare", "gpu_nodes", "unaccepted", "standby", "rails_routed", "rails_unnamed",
    "metadata_servers", "data_servers", "imds_nodes", "rdma_nodes", "scratch_nodes", "accounting_nodes", "container_nodes",
    "nvswitch_nodes", "imex_nodes", "cuda_nodes", "nccl_nodes", "nccl_tests_nodes", "perftest_nodes", "gdrcopy_nodes",
    "rest_api_nodes", "dcgm_nodes", "dcgm_exporter_nodes", "boot_line_nodes", "acs_nodes", "training_fetched", "image_nodes",
    "lnet_nodes", "lldp_nodes", "own_kernel_nodes", "signing_nodes", "refused_nodes", "directory_nodes", "homes_nodes",
    "wheels_nodes", "alerting_nodes", "hpcx_nodes",
)  # fmt: skip
"""Groups that are there whoever is in them, so that plays may name them."""
ASKED_WHOLE = ("unaccepted", "standby", "dcgm_exporter_nodes", "imex_nodes", "accounting_nodes")
"""Groups whose members the roles of other nodes ask for: whole in every inventory."""


@dataclass(frozen=True)
class Paths:
    """Files on the operator's machine that a run needs; only their names enter the inventory."""

    ssh_config: Path
    secrets: Path
    repositories: Path = Path()
    """Folder with the cluster's own repositories of packages."""
    wheels: Path = Path()
    """Folder with sets of the training stack's wheels."""


@dataclass(frozen=True)
class Inventory:
    """What Ansible gets to know."""

    groups: dict[str, list[str]]
    variables: dict[str, Any]
    """Of the group ``all``."""
    group_variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of other groups: what each class of nodes gets."""
    hostvars: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """Every node of the contract, in its order."""
    contract: str = ""
    """The contract's hash."""


def build(
    contract: Contract,
    accepted: Mapping[str, str],
    paths: Paths,
    only: Collection[str] | None = None,
    observed: Mapping[str, NodeFacts] = MappingProxyType({}),
    standby: Collection[str] = (),
) -> Inventory:
    """The inventory of a contract; variables of hosts for all nodes, or for ``only`` these and the controllers.

    ``observed`` is what nodes showed of themselves: names of cards, cores and memory are theirs. ``accepted`` is node name →
    identity of the nodes that passed a full validation: a node that was replaced since then has another identity and is
    unaccepted again. ``standby``: spares that take no user's job.
    """
    contract = as_observed.named(contract, observed)
    chosen = [n for n in contract.nodes if only is None or n.role == "controller" or n.name in only]
    return Inventory(
        groups={**_groups(contract, accepted, observed), "standby": sorted(standby)},
        variables=_shared(contract, paths, observed),
        group_variables={class_group(one): class_variables(one) for one in contract.classes},
        hostvars=_hosts(contract, chosen, paths, observed),
        names=[node.name for node in contract.nodes],
        contract=contract.hash,
    )


def narrowed(
    inventory: Inventory,
    contract: Contract,
    paths: Paths,
    only: Collection[str],
    observed: Mapping[str, NodeFacts] = MappingProxyType({}),
) -> Inventory:
    """The same with variables of ``only`` these nodes and the controllers, and only those in its groups.

    Groups that others ask for stay whole. A run on one node of thousands then gets little more than one on a small cluster.
    """
    contract = as_observed.named(contract, {name: one for name, one in observed.items() if name in only})
    chosen = _hosts(contract, [node for node in contract.nodes if node.name in only], paths, observed)
    hostvars = {**inventory.hostvars, **chosen}
    groups = {
        name: members if name in ASKED_WHOLE else [one for one in members if one in hostvars]
        for name, members in inventory.groups.items()
    }
    return replace(inventory, groups=groups, hostvars=hostvars)


def _groups(
    contract: Contract, accepted: Mapping[str, str], observed: Mapping[str, NodeFacts]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {group: [] for group in ALWAYS}

    def join(group: str, name: str) -> None:
        found.setdefault(group, []).append(name)

    classes = {one.name: one for one in contract.classes}
    for node in contract.nodes:
        one = classes.get(node.node_class) or contract.class_of(node)
        for group in (*one.groups, class_group(one), f"pool_{_word(node.pool)}"):
            join(group, node.name)
        if node.machine:
            join(f"machine_{_word(node.machine)}", node.name)
        if node.role in WORKERS and not acceptance.is_accepted(node, accepted):
            join("unaccepted", node.name)
            # Never one in service: what it passed with it still has, and a node that is refused ends the run.
            if _refused(node, observed):
                join("refused_nodes", node.name)
        if _routed(contract, node):
            join("rails_routed", node.name)
        elif wanted.are_routed(contract, node):
            join("rails_unnamed", node.name)
    for filesystem in contract.filesystems:
        if filesystem.metadata_server:
            join(f"filesystem_{_word(filesystem.name)}_metadata", filesystem.metadata_server)
        for server in filesystem.data_servers:
            join(f"filesystem_{_word(filesystem.name)}_data", server)
    return found


def class_group(one: NodeClass) -> str:
    """Group of the nodes of a class."""
    return f"class_{_word(one.name)}"


def class_variables(one: NodeClass) -> dict[str, Any]:
    """What nodes of a class get."""
    return {
        "railbed_versions": dict(one.components),
        "railbed_node_packages": dict(one.packages),
        "railbed_package_parts": dict(one.parts),
        "railbed_boot_line": list(one.boot_line),
        "railbed_image": one.image.model_dump(mode="json"),
    }


@cache
def _word(text: str) -> str:
    """A group name: letters, digits and underscores."""
    return "".join(c if c.isalnum() else "_" for c in text)


def _shared(contract: Contract, paths: Paths, observed: Mapping[str, NodeFacts]) -> dict[str, Any]:
    controllers = contract.with_role("controller")
    software = contract.software
    carried = _carried(software.repositories, paths)
    return {
        "railbed_stack": contract.stack,
        "railbed_cluster": contract.name,
        "railbed_domain": contract.domain,
        "railbed_service": contract.service,
        "railbed_simulated": contract.simulated,
        "railbed_hosts": contract.hosts,
        "railbed_job_topology": contract.job_topology,
        "railbed_scheduler_api": contract.scheduler_api,
        "railbed_ntp": list(contract.ntp),
        "railbed_services": contract.services.model_dump(mode="json"),
        "railbed_controller": controllers[0].name if controllers else "",
        "railbed_controllers": [{"name": node.name, "address": node.address} for node in controllers],
        "railbed_addresses": json.dumps({node.name: node.address for node in contract.nodes}),
        "railbed_known_hosts": "\n".join(contract.known_hosts()),
        "railbed_management_networks": sorted({_block(node.address) for node in contract.nodes}),
        "railbed_nodes": json.dumps([_known(node) for node in contract.nodes]),
        "railbed_job_nodes": json.dumps(
            [
                job_node(
                    node,
                    as_observed.known(node, observed),
                    whole=contract.hosts == "container",
                    huge_pages_gib=contract.class_of(node).huge_pages_gib,
                )
                for node in contract.with_role(*WORKERS)
            ]
        ),
        "railbed_mounts": [mounts.client(filesystem) for filesystem in contract.filesystems],
        "railbed_lnet": [
            {"name": one.name, "net": mounts.network(one), "servers": mounts.servers(one)}
            for one in contract.filesystems
            if mounts.network(one)
        ],
        "railbed_repositories": [
            one.model_dump(mode="json", exclude={"packages", "wheels"}) for one in software.repositories
        ],
        "railbed_carried": carried,
        "railbed_wheels_carried": wheels.carried(software.repositories, paths.wheels),
        "railbed_release": software.release,
        "railbed_files": {
            name: {"url": _source(file, carried), "sha256": file.sha256}
            for name, file in software.files.items()
        },
        "railbed_training_stack_path": software.training_stack_path,
        "railbed_wheels": wheels.pages(contract),
        "railbed_wheels_port": WHEELS_PORT,
        "railbed_admins": dict(contract.admins),
        **people.variables(contract),
        "railbed_imds": list(contract.imds),
        "railbed_processors": dict(PROCESSORS),
        "railbed_read_request_bytes": READ_REQUEST_BYTES,
        "railbed_roce": dict(ROCE),
        "railbed_secrets_dir": str(paths.secrets),
    }


def _carried(repositories: Iterable[Repository], paths: Paths) -> dict[str, str]:
    """From where to where the cluster's own repository is carried; empty where it has none."""
    own = [one.uri for one in repositories if one.uri.startswith(f"file:{NODE_REPOSITORY}/")]
    return {
        word: place
        for uri in own
        for word, place in (
            ("from", str(paths.repositories / uri.rstrip("/").rpartition("/")[2])),
            ("to", uri.removeprefix("file:").rstrip("/")),
        )
    }


def _source(file: File, carried: Mapping[str, str]) -> str:
    """Where a node has the file from."""
    return f"file://{carried['to']}/{file.carried}" if file.carried and carried else file.url


def _known(node: Node) -> dict[str, str]:
    """What others call a node by."""
    return {"name": node.name, "address": node.address, "role": node.role, "pool": node.pool}


def _block(address: str) -> str:
    """The /24 around an address; the contract gives management addresses without their prefix."""
    return f"{address.rsplit('.', 1)[0]}.0/24"


def _hosts(
    contract: Contract, nodes: Iterable[Node], paths: Paths, observed: Mapping[str, NodeFacts]
) -> dict[str, dict[str, Any]]:
    checked = {
        "health": health.settings(),
        "names": [controller.name for controller in contract.with_role("controller")],
    }
    return {
        node.name: _host(contract, node, paths, checked)
        | _unnamed(contract, node, observed)
        | _partitioned(contract, node, observed)
        | ({"railbed_refused": refusal} if (refusal := _refused(node, observed)) else {})
        | storage_link.variables(contract, node)
        for node in nodes
    }


def _refused(node: Node, observed: Mapping[str, NodeFacts]) -> list[str]:
    """What speaks against an installation on a node, as it was last seen; it stops a node of ``refused_nodes`` only."""
    seen = as_observed.known(node, observed)
    return list(seen.refused) if seen else []


def _unnamed(contract: Contract, node: Node, observed: Mapping[str, NodeFacts]) -> dict[str, str]:
    """Why the rails of a node cannot be routed, where they should be: nobody knows which interfaces they are."""
    if not wanted.are_routed(contract, node) or _routed(contract, node):
        return {}
    seen = as_observed.known(node, observed)
    reason = seen.unproven if seen else "the node was not observed yet"
    return {"railbed_rails_unnamed": reason or "the cards nearest to its GPUs have no interfaces"}


def _partitioned(
    contract: Contract, node: Node, observed: Mapping[str, NodeFacts]
) -> dict[str, dict[str, str]]:
    """NCCL's environment with the place of the rails' partition, where it was seen at one place in all cards' tables."""
    seen = as_observed.known(node, observed)
    if not contract.pkey or seen is None or seen.pkey_place is None or not node.rails:
        return {}
    own = contract.machine(node.machine).nccl_environment
    return {"railbed_nccl_environment": {**own, "NCCL_IB_PKEY": str(seen.pkey_place)}}


def _host(contract: Contract, node: Node, paths: Paths, checked: dict[str, Any]) -> dict[str, Any]:
    """``checked``: what the health check of every node expects alike."""
    machine = contract.machine(node.machine) if node.rails or node.gpus else None
    return {
        "ansible_host": node.name,
        "ansible_user": node.ssh.user,
        "ansible_become": node.ssh.user != "root",
        # The host's block in that file holds address and proxy; it verifies the pinned host keys.
        "ansible_ssh_common_args": f"-F {shlex.quote(str(paths.ssh_config))}",
        "railbed_name": node.name,
        "railbed_role": node.role,
        "railbed_pool": node.pool,
        "railbed_machine": node.machine,
        "railbed_address": node.address,
        "railbed_gpus": node.gpus,
        "railbed_memory_mib": node.memory_mib,
        "railbed_gpu_model": machine.gpu_model if machine else "",
        "railbed_transport": machine.transport if machine else "",
        "railbed_domain_nodes": machine.nodes_per_nvlink_domain if machine else 1,
        "railbed_rails": [rail.model_dump(mode="json") for rail in node.rails],
        "railbed_nics": [{"device": nic.device, "netdev": nic.netdev} for _, nic in contract.nics(node)],
        "railbed_rdma_named": bool(machine and machine.rdma_devices),
        "railbed_nccl_environment": dict(machine.nccl_environment) if machine else {},
        "railbed_rail_networks": [_network(rail.address) for rail in node.rails if rail.address],
        "railbed_expectations": json.dumps(expectations.of(contract, node) | checked),
        "railbed_rail_routes": _routes(contract, node),
        "railbed_links": {
            nic.netdev: rail.mtu for rail, nic in contract.nics(node) if nic.netdev and rail.mtu
        },
        "railbed_identity": node.identity.model_dump(mode="json"),
        "railbed_metadata_hosts": sorted(
            {f.metadata_server for f in contract.filesystems if _serves(f, node)}
        ),
        "railbed_served": _served(contract, node),
        "railbed_data_paths": [f.data_path for f in contract.filesystems if node.name in f.data_servers],
    }


def _routes(contract: Contract, node: Node) -> list[dict[str, Any]]:
    """What a node needs to route each rail by itself; empty where its rails are not routed links to leaf switches."""
    return [_route(rail, nic) for rail, nic in _routed(contract, node)]


def _routed(contract: Contract, node: Node) -> list[tuple[Rail, Nic]]:
    """The rails that are routed links, each with its first card, which carries the address; all of a node's or none."""
    if not wanted.are_routed(contract, node):
        return []
    first = {rail.index: (rail, nic) for rail, nic in reversed(contract.nics(node))}
    known = [first[rail.index] for rail in node.rails if rail.index in first and first[rail.index][1].netdev]
    return known if len(known) == len(node.rails) else []


def _route(rail: Rail, nic: Nic) -> dict[str, Any]:
    own = ipaddress.ip_interface(rail.address)
    gateway = next(address for address in own.network if address != own.ip)
    return {
        "index": rail.index,
        "netdev": nic.netdev,
        "address": rail.address,
        "gateway": str(gateway),
        "mtu": rail.mtu,
    }


def _network(interface: str) -> str:
    """The network of an address with prefix length."""
    return str(ipaddress.ip_interface(interface).network)


def _served(contract: Contract, node: Node) -> dict[str, Any]:
    """What a server must know of its filesystem; of the first one where a node serves several.

    Only Ceph's first node gets the other servers: with all of them everywhere, an inventory would grow with their square.
    """
    for one in contract.filesystems:
        if _serves(one, node):
            makes = one.kind == "ceph" and node.name == one.metadata_server
            servers = sorted({one.metadata_server, *one.data_servers}) if makes else []
            addresses = {name: contract.node(name).address for name in servers}
            return {"kind": one.kind, "name": one.name, "hosts": addresses, "data_path": one.data_path}
    return {}


def _serves(filesystem: Filesystem, node: Node) -> bool:
    return node.name == filesystem.metadata_server or node.name in filesystem.data_servers
