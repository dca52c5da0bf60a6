"""The storage network of metal: addresses by which LNet reaches Lustre's servers over RDMA (``@o2ib``).

LNet's o2ib driver finds its RDMA device by an interface with an IPv4 address (Lustre Operations Manual, Configuring Lustre
Networking): over InfiniBand one of IPoIB. An address is the storage network plus the host part of the machine's management
address: it depends on no other machine, and stays when machines come and go.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from railbed import catalog
from railbed.errors import SpecError
from railbed.spec import controllers
from railbed.spec.address_span import span
from railbed.spec.cluster import ClusterSpec
from railbed.spec.metal import MetalMachine, MetalPlatform
from railbed.spec.problems import key_path

Span = tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]
O2IB = re.compile(r"@o2ib\d*(?=[,:]|$)")
SERVER = re.compile(r"(\d+\.\d+\.\d+\.\d+)@o2ib\d*(?=[,:]|$)")
RAIL = re.compile(r"rail-\d+")
TCP = re.compile(r"@tcp\d*(?=[,:]|$)")


def address_of(place: MetalPlatform, machine: MetalMachine) -> str:
    """A machine's address with prefix length; empty where railbed gives none."""
    network = place.storage_network
    if network is None or not network.cidr:
        return ""
    own = ipaddress.IPv4Network(network.cidr)
    return f"{own.network_address + _host_part(place, machine)}/{own.prefixlen}"


def _host_part(place: MetalPlatform, machine: MetalMachine) -> int:
    management = ipaddress.IPv4Network(place.management_cidr)
    return int(ipaddress.IPv4Address(machine.address)) - int(management.network_address)


def unsaid(spec: ClusterSpec) -> str:
    """A source that is mounted over ``@o2ib`` on metal whose spec does not say who gives the addresses there; else empty."""
    if not isinstance(spec.platform, MetalPlatform) or spec.platform.storage_network is not None:
        return ""
    return next(iter(_mounted(spec).values()), "")


def _mounted(spec: ClusterSpec) -> dict[int, str]:
    """Index of each filesystem that is mounted over ``@o2ib`` → its source."""
    sources = {index: one.existing or "" for index, one in enumerate(spec.filesystems)}
    return {index: source for index, source in sources.items() if O2IB.search(source)}


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that the network deserves. Without one the site gives the addresses, as with ``given``."""
    place, path = spec.platform, f"{where}.platform.storage_network"
    if not isinstance(place, MetalPlatform):
        return
    mounted = _mounted(spec)
    network = place.storage_network
    if network is None:
        return
    if network.given == bool(network.cidr):
        raise SpecError(
            f"the addresses are {'both given by the installer and planned' if network.given else 'nobody’s to give'}",
            path=path, found=network.model_dump(), allowed="one of `cidr` and `given: true`", hint="write one of them",
        )  # fmt: skip
    for key, found in (("taken", network.taken), ("pkey", network.pkey)):
        if network.given and found:
            raise SpecError(
                f"railbed gives no address, and need not know `{key}`", path=f"{path}.{key}", found=found,
                allowed=f"`{key}` beside `cidr`", hint="remove it",
            )  # fmt: skip
    if not mounted and all(one.existing for one in spec.filesystems):
        raise SpecError(
            "no filesystem is mounted over it", path=path, found=network.cidr or "given: true",
            allowed="a filesystem with `existing: ADDRESS@o2ib:/NAME`", hint="remove it",
        )  # fmt: skip
    _controllers(spec, network.controllers, mounted, where)
    if network.cidr:
        ethernet = {
            pool.name for pool in spec.pools if catalog.load_machine(pool.machine).transport != "infiniband"
        }
        _addresses(place, ipaddress.IPv4Network(network.cidr), mounted, ethernet, where)


def _controllers(spec: ClusterSpec, theirs: bool, mounted: dict[int, str], where: str) -> None:
    if theirs or not controllers.count(spec):
        return
    for index, source in mounted.items():
        if not TCP.search(source):
            raise SpecError(
                "controllers that are not on the storage network cannot mount this",
                path=key_path(where, ["filesystems", index, "existing"]), found=source,
                allowed="an address of each server on @tcp beside the one on @o2ib",
                hint="e.g. 10.82.250.1@o2ib,10.80.250.1@tcp:/scratch, where the servers have both; else put an InfiniBand card "
                "into the controllers and remove `controllers: false`",
            )  # fmt: skip


def _addresses(
    place: MetalPlatform,
    network: ipaddress.IPv4Network,
    mounted: dict[int, str],
    ethernet: set[str],
    where: str,
) -> None:
    for key in ("management_cidr", "rails_cidr"):
        if network.overlaps(ipaddress.IPv4Network(other := getattr(place, key))):
            raise SpecError(
                f"the networks {network} and {other} overlap", path=f"{where}.platform.storage_network.cidr",
                found=str(network), allowed=f"a network apart from {key}", hint="choose another", code="SPEC_OVERLAP",
            )  # fmt: skip
    servers = dict(_servers(mounted))
    for server, index in servers.items():
        if server not in network:
            raise SpecError(
                f"no way leads to {server}", path=key_path(where, ["filesystems", index, "existing"]), found=str(server),
                allowed=f"a server in {network}",
                hint="let `cidr` be the servers' network; where routers lead to it, your installer gives addresses and routes: "
                "`given: true`",
            )  # fmt: skip
    taken = _taken(place, network, f"{where}.platform.storage_network.taken")
    for at, machine in enumerate(place.machines):
        path = key_path(where, ["platform", "machines", at])
        if machine.pool in ethernet:
            _ethernet(machine, place.setup_of(machine).storage_interface, f"{path}.storage_interface")
        _machine(place, machine, network, servers, f"{path}.address")
        _untaken(place, machine, network, taken, f"{path}.address")


def _ethernet(machine: MetalMachine, interface: str, path: str) -> None:
    """Ethernet rails are routed links to their leaf switches, with addresses of their own: storage cannot be on one."""
    allowed = "an interface with RDMA that is no rail"
    hint = f"name it for all: `pools: {{{machine.pool}: {{storage_interface: …}}}}`"
    if interface == "auto":
        raise SpecError(
            f"{machine.name} has several Ethernet cards, and none of them is known to be the storage network's",
            path=path, found=interface, allowed=allowed, hint=hint,
        )  # fmt: skip
    if RAIL.fullmatch(interface):
        raise SpecError(
            f"{interface} of {machine.name} is a routed link to its leaf switch, which does not carry the storage network",
            path=path, found=interface, allowed=allowed, hint=hint,
        )  # fmt: skip


def _machine(
    place: MetalPlatform, machine: MetalMachine, network: ipaddress.IPv4Network,
    servers: dict[ipaddress.IPv4Address, int], path: str,
) -> None:  # fmt: skip
    part = _host_part(place, machine)
    if not 0 < part < network.num_addresses - 1:
        raise SpecError(
            f"{machine.name} has no address in the storage network: the host part of {machine.address} in "
            f"{place.management_cidr} does not fit {network}",
            path=path, found=machine.address, allowed=f"a host part below {network.num_addresses - 1}",
            hint="make `storage_network.cidr` as large as `management_cidr`", code="SPEC_SUM",
        )  # fmt: skip
    own = network.network_address + part
    if own in servers:
        raise SpecError(
            f"{machine.name} would get {own}, which is a server of Lustre", path=path, found=machine.address,
            allowed="a management address with another host part",
            hint="move the machine, or choose a `storage_network.cidr` whose servers have host parts that no machine has",
            code="SPEC_DUPLICATE",
        )  # fmt: skip


def _taken(place: MetalPlatform, network: ipaddress.IPv4Network, path: str) -> dict[str, Span]:
    """What others have: the spec's words → first address and last. Raises SpecError for one outside the network."""
    words = place.storage_network.taken if place.storage_network else []
    spans = {word: span(word) for word in words}
    for at, (word, (first, last)) in enumerate(spans.items()):
        if first not in network or last not in network:
            raise SpecError(
                f"{word} is not in {network}, of which machines get their addresses", path=f"{path}[{at}]", found=word,
                allowed=f"addresses in {network}", hint="remove it, or correct it",
            )  # fmt: skip
    return spans


def _untaken(
    place: MetalPlatform, machine: MetalMachine, network: ipaddress.IPv4Network, taken: dict[str, Span], path: str
) -> None:  # fmt: skip
    own = network.network_address + _host_part(place, machine)
    for word, (first, last) in taken.items():
        if first <= own <= last:
            raise SpecError(
                f"{machine.name} would get {own}, which is taken (`storage_network.taken`: {word})", path=path,
                found=machine.address, allowed="a management address with another host part",
                hint="move the machine, or choose a `storage_network.cidr` in which its host part is free",
                code="SPEC_DUPLICATE",
            )  # fmt: skip


def _servers(mounted: dict[int, str]) -> Iterator[tuple[ipaddress.IPv4Address, int]]:
    for index, source in mounted.items():
        yield from ((ipaddress.IPv4Address(one), index) for one in SERVER.findall(source))
