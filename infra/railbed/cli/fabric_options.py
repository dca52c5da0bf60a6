"""The options that size and name a fabric, one set for every `railbed fabric` command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from railbed import plan as plans
from railbed import spec as specs
from railbed.catalog import Mode, Switch, load_switch
from railbed.cli.spec_file import chosen
from railbed.effects.workspace import stack_name
from railbed.errors import UsageError
from railbed.fabric import Fabric, FabricRequest, Names, plan, ratio
from railbed.plan.hosts import node_names
from railbed.spec.metal import MetalPlatform

DEFAULT_RAILS, DEFAULT_RADIX, DEFAULT_LINK_GBPS = 8, 64, 400.0


@dataclass(frozen=True)
class Chosen:
    """What the options come to."""

    fabric: Fabric
    names: Names
    switch: Switch | None
    mode: Mode | None
    rate_gbps: float
    """Of one link."""
    rate_known: bool
    """False where nobody said the rate and it is the default."""
    rails_network: str
    """Addresses of the rails that the spec names; empty where it names none."""


@dataclass(frozen=True)
class Asked:
    """What nodes, stack or spec say of the fabric; None and empty: nothing."""

    nodes: int
    names: Names
    rails: int | None = None
    planes: int | None = None
    rate_gbps: float | None = None
    switch: str | None = None
    oversubscription: str = "1"
    rail_only: bool = False
    rails_network: str = ""


NODES = typer.Option(None, "--nodes", "-n", help="Nodes; instead of a spec.")
STACK = typer.Option(
    "lab", "--stack", "-s", callback=stack_name, help="Stack whose spec gives nodes, rails and names."
)
SPEC = typer.Option(None, "--spec", "-f", help="A stack file, instead of the stack's own.")
RAILS = typer.Option(None, "--rails", help=f"NICs of a node in one plane. Else {DEFAULT_RAILS}.")
RADIX = typer.Option(None, "--radix", help=f"Ports of a switch. Else the switch's, or {DEFAULT_RADIX}.")
PLANES = typer.Option(None, "--planes", help="Equal fabrics side by side. Else 1.")
RATIO = typer.Option(None, "--oversubscription", help="Leaf ports down to up: 1, 1.5, 4:3. Else 1.")
RAIL_ONLY = typer.Option(False, "--rail-only", help="No spine: one leaf per rail.")
DESIGN = typer.Option(0, "--design-nodes", help="Build the upper tiers for so many nodes now.")
EXTRA = typer.Option(0, "--extra-endpoints", help="Leaf ports of a plane for management or storage.")
SWITCH = typer.Option(None, "--switch", help="Catalogue key: ports, rate, transceivers, price.")
LINK = typer.Option(None, "--link-gbps", help="Rate of a link. Else the switch's, the spec's, or 400.")
NODE_NAME = typer.Option(Names.node, "--node-name", help="Name of a node, with {node}.")
NIC_NAME = typer.Option(Names.nic, "--nic-name", help="Name of a NIC, with {nic} or {rail}.")
SWITCH_NAME = typer.Option(Names.switch, "--switch-name", help="Name of a switch, with {tier} and {index}.")


def options(
    nodes: int = NODES,
    stack: str = STACK,
    spec: Path = SPEC,
    rails: int = RAILS,
    radix: int = RADIX,
    planes: int = PLANES,
    oversubscription: str = RATIO,
    rail_only: bool = RAIL_ONLY,
    design_nodes: int = DESIGN,
    extra_endpoints: int = EXTRA,
    switch: str = SWITCH,
    link_gbps: float = LINK,
    node_name: str = NODE_NAME,
    nic_name: str = NIC_NAME,
    switch_name: str = SWITCH_NAME,
) -> Chosen:
    """The fabric that the options ask for. Raises UsageError."""
    names = Names(node=node_name, nic=nic_name, switch=switch_name)
    asked = Asked(nodes, names) if nodes is not None else _of_spec(_file(stack, spec), rails, planes, names)
    rate = asked.rate_gbps if link_gbps is None else link_gbps
    key = switch or asked.switch
    found = load_switch(key) if key else None
    mode = _mode(found, radix, asked.rate_gbps)
    if rate is None and mode:
        rate = mode.port_gbps
    request = FabricRequest(
        nodes=asked.nodes,
        rails=_first(rails, asked.rails, DEFAULT_RAILS),
        radix=_first(radix, mode.ports if mode else None, DEFAULT_RADIX),
        planes=_first(planes, asked.planes, 1),
        oversubscription=ratio.read(oversubscription or asked.oversubscription),
        rail_only=rail_only or asked.rail_only,
        design_nodes=design_nodes,
        extra_endpoints=extra_endpoints,
    )
    return Chosen(
        plan(request), asked.names.checked(request.planes), found, mode, rate or DEFAULT_LINK_GBPS, rate is not None,
        asked.rails_network,
    )  # fmt: skip


def _first(given: int | None, said: int | None, usual: int) -> int:
    return next(value for value in (given, said, usual) if value is not None)


def sized(command: Callable[..., None]) -> Callable[..., None]:
    """Gives ``command`` all options above; they reach it as its first argument, a Chosen."""
    shared = inspect.signature(options).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    @wraps(command)
    def run(**given: Any) -> None:
        command(options(**{name: given.pop(name) for name in shared}), **given)

    parameters = [*shared.values(), *own]
    setattr(run, "__signature__", inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in parameters]))  # noqa: B010
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _file(stack: str, spec: Path | None) -> Path:
    try:
        return chosen(stack, spec)
    except UsageError as nowhere:
        raise UsageError(
            "name the fabric: how many nodes, or whose spec", code=nowhere.code, path="--nodes",
            hint="--nodes N, --spec FILE, or --stack NAME inside a checkout",
        ) from None  # fmt: skip


def _of_spec(file: Path, rails: int | None, planes: int | None, names: Names) -> Asked:
    """What a stack file says; names of NICs fit only the rails and planes that are planned in the end."""
    spec = specs.load(file)
    planned = plans.plan(spec, f"{file}:railbed:cluster")
    machines = {pool.machine.key: pool.machine for pool in planned.pools}
    hosts = [name for pool in planned.pools for name in node_names(pool.name, pool.nodes, pool.spares)]
    machine = next(iter(machines.values()))
    nics = machine.rdma_devices or machine.netdevs
    if len(machines) > 1 and len({tuple(m.rdma_devices or m.netdevs) for m in machines.values()}) > 1:
        raise UsageError(
            "the pools' machines call their NICs differently", code="FABRIC_NAMES", path=f"{file}:railbed:cluster.pools",
            found=sorted(machines), hint="plan them one by one with --nodes",
        )  # fmt: skip
    fabric = planned.fabric
    if fabric is None:
        raise UsageError(
            "the spec has no fabric", code="FABRIC_RANGE", path=f"{file}:railbed:cluster.fabric",
            hint="add `fabric:`, or plan one with --nodes",
        )  # fmt: skip
    wanted = _first(rails, fabric.rails, DEFAULT_RAILS) * _first(planes, fabric.nics_per_rail, 1)
    fits = len(nics) == wanted and names.nic == Names.nic
    asked = Asked(
        nodes=len(hosts),
        names=Names(hosts, nics if fits else (), names.node, names.nic, names.switch),
        rails=fabric.rails,
        planes=fabric.nics_per_rail,
        rate_gbps=None if planned.simulated else machine.nic_gbps,
    )
    place = spec.platform
    if not isinstance(place, MetalPlatform):
        return asked
    return replace(
        asked, switch=place.switch, oversubscription=place.oversubscription, rail_only=place.rail_only,
        rails_network=place.rails_cidr,
    )  # fmt: skip


def _mode(switch: Switch | None, radix: int | None, rate_gbps: float | None) -> Mode | None:
    """The switch's mode of that rate where a spec's NICs say it, else its first one with so many ports."""
    if switch is None:
        return None
    fitting = [mode for mode in switch.modes if mode.port_gbps == rate_gbps]
    mode = fitting[0] if fitting and radix is None else switch.mode(radix)
    if mode is None:
        raise UsageError(
            f"{switch.title} has no {radix} ports", code="FABRIC_RANGE", path="--radix", found=radix,
            allowed=f"at most {max(m.ports for m in switch.modes)}",
        )  # fmt: skip
    return mode
