"""What must hold of every cloud's program, as plain functions: a case in, findings (sentences) out; none means it holds.

They know no provider: a cloud's view answers from what its program declared, and the catalogue says what to expect.
"""

from __future__ import annotations

import functools
import importlib
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from tests.program.clouds.recording import Run
from tests.program.clouds.view import View

from railbed import contract as contracts
from railbed.plan import ClusterPlan, PlannedPool
from railbed.platforms.cloud.support import Lacks, Support
from railbed.spec.cluster import Block, OnDemand, Reservation

SSH = 22
TAGS = ("railbed-cluster", "railbed-stack")
SEED = "ssh_keys"
"""cloud-init's key for host keys that a node is given."""
SEEDED = ("nebius",)
ENVELOPE = "4dabf18193072939515e22adb298388d"
"""How the engine marks a secret among a resource's inputs."""
PRIVATE = ("PRIVATE KEY", "BEGIN PGP", "AWS_SECRET", "aws_secret", "password", "passwd:")


@dataclass(frozen=True)
class Case:
    """One program that ran under mocks."""

    view: View
    plan: ClusterPlan
    run: Run
    secrets: tuple[str, ...] = ()
    """Key material of the stack, in the forms in which it could be written."""

    @functools.cached_property
    def contract(self) -> contracts.Contract:
        return unauthenticated(self.run.contract, self.view.kind)


def unauthenticated(data: dict[str, Any], where: str) -> contracts.Contract:
    """The contract in ``data``, whether or not it has a MAC: checks change contracts."""
    return contracts.validated({name: value for name, value in data.items() if name != "mac"}, where)


Check = Callable[[Case], list[str]]


def support(kind: str) -> Support:
    """The platform's support table."""
    table: Support = importlib.import_module(f"railbed.platforms.{kind}.support").SUPPORT
    return table


def rails(case: Case) -> list[str]:
    """Rails and their rate are the catalogue's, NIC by NIC in its order."""
    found, contract = [], case.contract
    for node in contract.with_role("compute", "spare"):
        machine = next(pool.machine for pool in case.plan.pools if pool.name == node.pool)
        if case.plan.fabric is None:
            found += [f"{node.name} has rails without a fabric"] if node.rails else []
            continue
        rate = machine.nics_per_rail * machine.nic_gbps
        if [(rail.index, rail.rate_gbps) for rail in node.rails] != [
            (at, rate) for at in range(machine.rails)
        ]:
            found.append(f"{node.name}: rails are not {machine.rails} x {rate:g} Gb/s")
        nics = contract.nics(node)
        if len(nics) != machine.rails * machine.nics_per_rail or {nic.rate_gbps for _, nic in nics} != {
            machine.nic_gbps
        }:
            found.append(f"{node.name}: {len(nics)} NICs, not {machine.rails} x {machine.nics_per_rail}")
        if machine.rdma_devices and [nic.device for _, nic in nics] != machine.rdma_devices:
            found.append(f"{node.name}: RDMA devices are not in the catalogue's order")
    return found


def cards(case: Case) -> list[str]:
    """Where network cards are declared: one for each NIC of each rail, in order, the front end first."""
    found = []
    for pool in case.plan.pools:
        blocks = case.view.nics(case.run, pool.name)
        if blocks is None:
            continue
        with_rails = [block for block in blocks if block.kind in ("rail", "both")]
        wanted = pool.machine.rails * pool.machine.nics_per_rail if case.plan.fabric else 0
        if len(with_rails) != wanted:
            found.append(f"pool {pool.name}: {len(with_rails)} cards on rails, the machine has {wanted}")
        places = [(block.card, block.device) for block in blocks]
        if len(set(places)) != len(places) or [block.card for block in blocks] != sorted(
            block.card for block in blocks
        ):
            found.append(f"pool {pool.name}: cards are not in order, or two are in one place: {places}")
        if not blocks or blocks[0].kind == "rail":
            found.append(f"pool {pool.name}: the first card is no front end")
    return found


def attached(case: Case) -> list[str]:
    """A pool is on the RDMA fabric if, and only if, the plan has one."""
    found = []
    for pool in case.plan.pools:
        on = bool(case.view.rdma(case.run, pool.name))
        if on != (case.plan.fabric is not None):
            found.append(
                f"pool {pool.name}: {'on an RDMA fabric without asking' if on else 'not on the RDMA fabric'}"
            )
    return found


def placed(case: Case) -> list[str]:
    """Something keeps an RDMA pool's nodes together: placement, a fabric that places, or capacity that is placed."""
    if case.plan.fabric is None:
        return []
    return [
        f"pool {pool.name}: nothing places its nodes together"
        for pool in case.plan.pools
        if not _together(case, pool)
    ]


def _together(case: Case, pool: PlannedPool) -> bool:
    if case.view.placement(case.run, pool.name):
        return True
    places = case.view.kind in PLACED_BY_FABRIC and case.view.rdma(case.run, pool.name)
    return bool(places) or (isinstance(pool.capacity, Reservation | Block) and _bought(case, pool))


PLACED_BY_FABRIC = ("oci", "volcengine", "alicloud", "nebius", "openstack")
"""Where joining the fabric's cluster (cluster network, HPC cluster, GPU cluster, rail networks) is being placed."""


def capacity(case: Case) -> list[str]:
    """Nodes are taken from where the spec says."""
    return [
        f"pool {pool.name}: capacity is {case.view.capacity(case.run, pool.name)}, not {_wanted(pool)}"
        for pool in case.plan.pools
        if not _bought(case, pool)
    ]


def _wanted(pool: PlannedPool) -> str:
    named = isinstance(pool.capacity, Reservation | Block)
    return pool.capacity.id if named else "on_demand" if isinstance(pool.capacity, OnDemand) else "spot"


def _bought(case: Case, pool: PlannedPool) -> bool:
    return case.view.capacity(case.run, pool.name) == _wanted(pool)


def size(case: Case) -> list[str]:
    """Nodes and spares are asked for, and named in the contract or listed as missing."""
    found = []
    for pool in case.plan.pools:
        asked = case.view.size(case.run, pool.name)
        if asked != pool.nodes + pool.spares:
            found.append(f"pool {pool.name}: asks for {asked} nodes, not {pool.nodes} + {pool.spares}")
        there = sum(node.pool == pool.name for node in case.contract.nodes)
        missing = sum(one.asked - one.found for one in case.contract.missing if one.pool == pool.name)
        if there + missing != pool.size:
            found.append(f"pool {pool.name}: {there} nodes and {missing} missing ones are not {pool.size}")
    return found


def closed(case: Case) -> list[str]:
    """Nothing is open to the world; SSH only from where the spec says, or from inside."""
    own = ipaddress.ip_network(getattr(case.plan.place, "network_cidr"))  # noqa: B009 - every cloud's place has one
    allowed = [ipaddress.ip_network(one, strict=False) for one in case.plan.ssh_from]
    found = []
    for rule in case.view.opened(case.run):
        source = _network(rule.source)
        if source is None:
            continue
        if source.prefixlen == 0:
            found.append(f"ports {rule.from_port}-{rule.to_port} are open to the world")
        elif not any(source.version == one.version and source.subnet_of(one) for one in [own, *allowed]):  # type: ignore[arg-type]
            found.append(
                f"ports {rule.from_port}-{rule.to_port} are open to {source}, which nobody asked for"
            )
        elif source in allowed and (rule.from_port, rule.to_port) != (SSH, SSH):
            found.append(
                f"ports {rule.from_port}-{rule.to_port} are open to {source}: only SSH was asked for"
            )
    return found


def _network(source: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None for a source that is a group's members."""
    try:
        return ipaddress.ip_network(source, strict=False)
    except ValueError:
        return None


def private(case: Case) -> list[str]:
    """No node and no disk has a public address."""
    return [f"{name} gives out a public address" for name in case.view.public_addresses(case.run)]


def encrypted(case: Case) -> list[str]:
    """Disks and filesystems are encrypted, where a project can ask for it at all."""
    if isinstance(support(case.view.kind)["encrypted_disks"], Lacks):
        return []
    disks = case.view.disks(case.run)
    return [f"{name} is not encrypted" for name, is_so in disks.items() if not is_so] or (
        [] if disks else ["no disk at all"]
    )


def tagged(case: Case) -> list[str]:
    """Everything that can carry tags says whose it is."""
    found, carrying = [], 0
    for one in case.run.declared:
        tags = case.view.tags(one) if not one.typ.startswith("pulumi:") else None
        if tags is None:
            continue
        carrying += 1
        wanted = {"railbed-cluster": case.plan.name, "railbed-stack": "test"}
        found += [
            f"{one.typ} {one.name} lacks the tag {key}" for key in wanted if tags.get(key) != wanted[key]
        ]
    return found if carrying else ["nothing carries tags"]


def kept(case: Case) -> list[str]:
    """A filesystem of the cluster's own is protected and kept, unless the spec says otherwise; one that is there is not ours."""
    own = [one for one in case.plan.filesystems if not one.existing]
    made = case.view.filesystems(case.run)
    if len(made) != len(own):
        return [f"{len(made)} filesystems are declared, {len(own)} are the cluster's own"]
    keep = all(one.keep_on_destroy for one in own)
    return [f"{one.name} is {'not kept' if keep else 'kept'}" for one in made if one.protected != keep] + [
        f"{one.name} is {'mounted from nowhere'}" for one in case.contract.filesystems if not one.source
    ]


def apart(case: Case) -> list[str]:
    """Pools of different tenants share no group, and no rule lets the whole network in."""
    found = []
    pools = case.plan.pools
    groups = {pool.name: case.view.groups(case.run, pool.name) for pool in pools}
    for first in pools:
        for second in pools:
            if first.tenant < second.tenant and groups[first.name] & groups[second.name]:
                shared = ", ".join(sorted(groups[first.name] & groups[second.name]))
                found.append(f"tenants {first.tenant} and {second.tenant} share {shared}")
    if len({pool.tenant for pool in pools}) > 1:
        inside = ipaddress.ip_network(getattr(case.plan.place, "network_cidr"))  # noqa: B009
        found += [
            f"ports {rule.from_port}-{rule.to_port} are open to the whole network, other tenants in it"
            for rule in case.view.opened(case.run)
            if _network(rule.source) == inside
        ]
    return found


def secret_free(case: Case) -> list[str]:
    """Boot scripts are there, and neither they nor any input, argument or the contract hold private material.

    The one exception is a host key of a node's own, where no console shows one: in an input that the engine keeps encrypted,
    and no two alike.
    """
    scripts = case.view.user_data(case.run)
    seeded = [script for script in scripts if SEED in script]
    found = ["two boot scripts hold one host key"] if len(set(seeded)) < len(seeded) else []
    scripts = [_unseeded(script) if case.view.kind in SEEDED else script for script in scripts]
    found += [] if scripts else ["no boot script"]
    found += [
        "a boot script is no cloud-config" for script in scripts if not script.startswith("#cloud-config")
    ]
    said = json.dumps(
        [[_clear(one.inputs) for one in case.run.declared], case.run.calls, case.run.contract], default=str
    )
    for text in [*scripts, said]:
        found += [
            f"{word!r} is in a boot script or input" for word in PRIVATE[:1] + case.secrets if word in text
        ]
    for script in scripts:
        found += [
            f"{word!r} is in a boot script"
            for word in PRIVATE[1:]
            if word in script.replace("lock_passwd", "")
        ]
    return found


def _unseeded(script: str) -> str:
    """A boot script without the host key that it gives its node."""
    config = {key: value for key, value in yaml.safe_load(script).items() if key != SEED}
    return script.splitlines()[0] + "\n" + json.dumps(config)


def _clear(inputs: dict[str, Any]) -> dict[str, Any]:
    """What of a resource's inputs the engine keeps in clear: secrets come in an envelope."""
    return {
        key: value for key, value in inputs.items() if not (isinstance(value, dict) and ENVELOPE in value)
    }


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        rails,
        cards,
        attached,
        placed,
        capacity,
        size,
        closed,
        private,
        encrypted,
        tagged,
        kept,
        apart,
        secret_free,
    )
}


def findings(case: Case) -> list[str]:
    """All of them, each with the name of its check."""
    return [f"{name}: {finding}" for name, check in CHECKS.items() for finding in check(case)]
