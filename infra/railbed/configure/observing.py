"""Looks at the nodes over SSH and keeps what was observed of them, beside the contract."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from railbed.claims import WORKERS
from railbed.configure.events import Event, OnEvent
from railbed.contract import Contract, Node, wanted
from railbed.defaults import OBSERVE_TIMEOUT_S, SSH_FANOUT
from railbed.effects import acceptance, node_bundle, node_json, observations
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.hardware import Document, NodeFacts, Observation, facts, read, torsets
from railbed.hardware.facts import kept

DOCUMENT = TypeAdapter(Document)
SCRIPT = f"""
set -u
folder=$(mktemp -d /tmp/railbed-observe.XXXXXX)
trap 'rm -rf "$folder"' EXIT
tar -xzf - -C "$folder" || exit 3
python3 -IB "$folder/{node_bundle.PACKAGE}/observe.py"
"""
PLACES = r"""
set -u
folder=$(mktemp -d /tmp/railbed-places.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/guids" || exit 3
tool=
for at in /opt/hpcx*/sharp/bin/sharp_cmd; do if [ -x "$at" ]; then tool=$at; fi; done
[ -n "$tool" ] || exit 4
env SHARP_SMX_UCX_INTERFACE="$1" "$tool" topology --ib-dev "$1" --guids_file "$folder/guids" \
    --topology_file "$folder/topology" >/dev/null 2>&1 || exit 5
cat "$folder/topology"
"""
"""Asks the fabric's aggregation manager, through the card ``$1``, where the ports are whose GUIDs it reads."""
ASKED_MOST = 3
"""Nodes that are asked one after the other: one may lack the tool or its way to the manager, and all rarely do."""
UNPLACED = (
    "no node could ask the fabric's manager which nodes are close to each other (sharp_cmd of HPC-X); Slurm is not told of "
    "those that were not placed before"
)
DRIVERS = ("base", "packages", "nvidia_driver", "rdma")
"""Tags of the roles after which a node shows all its devices. Base: by the site's proxy and name servers."""


def refresh(
    contract: Contract,
    work: Workspace,
    names: Collection[str],
    *,
    whole: bool,
    on_event: OnEvent | None = None,
) -> bool:
    """Looks at those of these nodes that run jobs; gives whether anything is new.

    One that does not answer, or answers otherwise, keeps what was known of it. The scheduler's files are the same on all nodes:
    what they are made of changes in a run on the ``whole`` cluster only, and only for nodes that were not accepted yet.
    """
    nodes = {node.name: node for node in _observable(contract) if node.name in names}
    if not nodes:
        return False
    accepted = acceptance.record(work)
    remote, bundle, before = Remote(work, contract), node_bundle.packed({}), observations.read(work)

    ports: dict[str, _Ports] = {}

    def observe(name: str) -> NodeFacts | None:
        said = remote.run(name, SCRIPT, stdin=bundle, timeout_s=OBSERVE_TIMEOUT_S, check=False)
        try:
            document = node_json.read(said.stdout, DOCUMENT, name) if said.ok else None
        except node_json.Unreadable:
            document = None
        if document is None:
            return None
        observation = read(document)
        nics = [one for one in observation.nics if torsets.guids([one])]
        if nics:
            ports[name] = _Ports(
                next((f"{one.device}:{one.port}" for one in nics if one.state == "ACTIVE"), ""),
                torsets.guids(nics),
            )
        return _facts(contract, nodes[name], observation)

    seen = remote.each(nodes, observe, SSH_FANOUT)
    if whole and _untold(contract, seen.values()):
        places = _places(remote, ports)
        if places is None and on_event:
            on_event(Event("note", message=UNPLACED))
        called = torsets.named(places or {}, _called(nodes.values(), before, accepted))
        seen |= {
            name: one.model_copy(update={"block": called[name]})
            for name, one in seen.items()
            if one is not None and name in called
        }
    found = {
        name: kept(before.get(name), now, settled=not whole or acceptance.is_accepted(nodes[name], accepted))
        for name, now in seen.items()
        if now is not None
    }
    new = any(before.get(name) != now for name, now in found.items())
    if new:
        observations.remember(work, found)
    return new


def without_devices(contract: Contract, work: Workspace, names: Collection[str]) -> list[str]:
    """Of these nodes those whose devices were not all there at the last look, so that the drivers have to come first."""
    known, accepted = observations.read(work), acceptance.record(work)
    return [
        node.name
        for node in _observable(contract)
        if node.name in names
        and node.name in known
        and known[node.name].no_devices
        and (not known[node.name].refused or acceptance.is_accepted(node, accepted))
    ]


def _observable(contract: Contract) -> Iterable[Node]:
    """Nodes that run jobs and are machines: a container sees the devices of the machine that runs it."""
    return contract.with_role(*WORKERS) if contract.hosts == "machine" else ()


def _untold(contract: Contract, seen: Iterable[NodeFacts | None]) -> bool:
    """Whether nothing says where the nodes of a provider are: neither its API nor the nodes themselves."""
    return bool(contract.imds) and not (
        any(node.scalable_unit for node in contract.nodes)
        or any(one is not None and one.block for one in seen)
    )


@dataclass(frozen=True)
class _Ports:
    """A node's InfiniBand ports."""

    active: str
    """One that is up, as ``DEVICE:PORT``; empty for none."""
    guids: list[str]


def _places(remote: Remote, ports: Mapping[str, _Ports]) -> dict[str, str] | None:
    """Node → its torset, from the first node that could ask; None where none of a few could, empty where none is to."""
    owners = {guid: name for name, own in ports.items() for guid in own.guids}
    if len(ports) < 2:
        return {}
    for asks in sorted(name for name, own in ports.items() if own.active)[:ASKED_MOST]:
        said = remote.run(
            asks, f"set -- {shlex.quote(ports[asks].active)}\n{PLACES}",
            stdin="".join(f"{guid}\n" for guid in owners).encode(), timeout_s=OBSERVE_TIMEOUT_S, check=False,
        )  # fmt: skip
        if said.ok and (found := torsets.torsets(said.stdout, owners)):
            return found
    return None


def _called(
    nodes: Iterable[Node], before: Mapping[str, NodeFacts], accepted: Mapping[str, str]
) -> dict[str, str]:
    """Node → the block that the scheduler has it in; of those that were not accepted yet only where there is one."""
    found = {}
    for node in nodes:
        known = before.get(node.name)
        block = known.block if known is not None and known.identity == node.identity.value else ""
        if block or acceptance.is_accepted(node, accepted):
            found[node.name] = block
    return found


def _facts(contract: Contract, node: Node, observation: Observation) -> NodeFacts:
    machine = contract.machine(node.machine) if node.machine and node.rails else None
    mappable = machine is not None and machine.transport != "tcp"
    return facts(
        observation, wanted.of(machine, contract.pkey) if machine and mappable else None, node.identity.value,
        wanted.ground(contract, node),
    )  # fmt: skip
