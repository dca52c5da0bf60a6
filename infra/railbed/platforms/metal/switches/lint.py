"""Checks of configured Ethernet switches against the plan: pure, over what the configurations say (``view.py``).

Each check is a function of the plan and the views, and yields what it finds; none looks at text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from railbed.platforms.metal.switches.facts import facts
from railbed.platforms.metal.switches.underlay import Port, Switch
from railbed.platforms.metal.switches.view import NetworkOs, PortView, SwitchView

Views = Mapping[str, SwitchView]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    check: str
    switch: str
    port: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """An entry of ``findings``."""
        return {"check": self.check, "switch": self.switch, "port": self.port, "message": self.message}


def lint(planned: Sequence[Switch], views: Views, os: NetworkOs) -> list[Finding]:
    """All findings, in the order of the checks; ``views`` is by the name of the switch."""
    return [finding for check in CHECKS for finding in check(planned, views, os)]


def present(planned: Sequence[Switch], views: Views, _os: NetworkOs) -> Iterator[Finding]:
    """Every switch is configured, under its own name, and no other is."""
    for switch in planned:
        view = views.get(switch.name)
        if view is None:
            yield Finding(
                "switch-missing", switch.name, "", "the plan has this switch, no configuration is there"
            )
        elif view.name != switch.name:
            yield Finding("hostname", switch.name, "", f"the configuration says {view.name!r}")
    for name in sorted(set(views) - {switch.name for switch in planned}):
        yield Finding("switch-unplanned", name, "", "the plan has no such switch")


def cabled(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """Both ends of every planned cable are configured and up, and no port without a cable is."""
    for switch, view in _met(planned, views):
        names = {os.port(number): port for number, port in switch.ports.items()}
        for name, port in names.items():
            if name not in view.ports:
                yield Finding("port-missing", switch.name, name, f"the cable to {_peer(port, os)} ends here")
            elif not view.ports[name].up:
                yield Finding(
                    "port-down", switch.name, name, f"shut, and the cable to {_peer(port, os)} ends here"
                )
        for name in sorted(set(view.ports) - set(names)):
            yield Finding("port-unplanned", switch.name, name, "configured, and no cable is planned there")


def once(planned: Sequence[Switch], _views: Views, os: NetworkOs) -> Iterator[Finding]:
    """No port is used by two cables: neither in the map, nor by two numbers that are one interface."""
    ends: dict[tuple[str, str], list[str]] = defaultdict(list)
    for switch in planned:
        for number, port in switch.ports.items():
            ends[(switch.name, os.port(number))].append(_peer(port, os))
            if port.number != number:
                yield Finding(
                    "port-twice", switch.name, os.port(number), f"is port {port.number} of the map too"
                )
    for (switch_name, name), peers in ends.items():
        if len(peers) > 1:
            yield Finding("port-twice", switch_name, name, f"cables to {' and '.join(peers)}")


def mtus(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """The MTU is the same at both ends of every cable between switches, and the planned one everywhere."""
    wanted = facts().mtu_bytes
    for switch, name, _, view in _ports(planned, views, os):
        if view.mtu_bytes != wanted:
            yield Finding("mtu", switch.name, name, f"{view.mtu_bytes} instead of {wanted} bytes")
    for switch, name, port, view in _ports(planned, views, os):
        if port.to_switch and port.peer in views:
            far = views[port.peer].ports.get(os.port(int(port.peer_port)))
            if far is not None and far.mtu_bytes != view.mtu_bytes and switch.name < port.peer:
                yield Finding(
                    "mtu-ends", switch.name, name,
                    f"{view.mtu_bytes} here, {far.mtu_bytes} bytes at {_peer(port, os)}",
                )  # fmt: skip


def numbers(planned: Sequence[Switch], views: Views, _os: NetworkOs) -> Iterator[Finding]:
    """A leaf's AS number is its own; spines of a pod share one, cores of a plane share one, and no two groups do."""
    holders: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    groups: dict[tuple[Any, ...], set[int | None]] = defaultdict(set)
    for switch, view in _met(planned, views):
        group = (switch.tier, switch.plane, switch.index if switch.tier == "leaf" else switch.pod)
        groups[group].add(view.asn)
        if view.asn is None:
            yield Finding("asn", switch.name, "", "no AS number, or not the same one in all its files")
        else:
            holders[view.asn].add(group)
    for switch, view in _met(planned, views):
        group = (switch.tier, switch.plane, switch.index if switch.tier == "leaf" else switch.pod)
        if view.asn is not None and len(holders[view.asn]) > 1:
            yield Finding("asn", switch.name, "", f"{view.asn} is another group's too")
        if len(groups[group] - {None}) > 1:
            yield Finding("asn", switch.name, "", f"{view.asn} differs from its {switch.tier} group")


def addresses(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """No address is there twice, and each is the planned one: of every node's cable, and of every loopback."""
    seen: dict[str, str] = {}
    for switch, view in _met(planned, views):
        places = [("loopback", address) for address in view.loopbacks]
        places += [(name, address) for name, port in view.ports.items() for address in port.addresses]
        for name, address in places:
            bare = address.partition("/")[0]
            if bare in seen:
                yield Finding("address-twice", switch.name, name, f"{address} is at {seen[bare]} too")
            seen.setdefault(bare, f"{switch.name} {name}")
        if view.loopbacks != (str(switch.loopback),):
            yield Finding(
                "loopback", switch.name, "", f"{', '.join(view.loopbacks)} instead of {switch.loopback}"
            )
    for switch, name, port, seen_port in _ports(planned, views, os):
        wanted = () if port.address is None else (str(port.address),)
        if seen_port.addresses != wanted:
            found = ", ".join(seen_port.addresses) or "none"
            yield Finding("address", switch.name, name, f"{found} instead of {', '.join(wanted) or 'none'}")


def sessions(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """BGP runs over every cable between switches and over no other, and each switch advertises its prefixes."""
    for switch, name, port, view in _ports(planned, views, os):
        if port.to_switch and not view.neighbor:
            yield Finding("bgp-session", switch.name, name, f"no session with {port.peer}")
        if not port.to_switch and view.neighbor:
            yield Finding("bgp-session", switch.name, name, f"a session with a node, {port.peer}")
    for switch, seen in _met(planned, views):
        wanted = {str(switch.loopback)} | ({str(switch.block)} if switch.block else set())
        if seen.announced != wanted:
            missing, more = sorted(wanted - seen.announced), sorted(seen.announced - wanted)
            yield Finding("bgp-prefix", switch.name, "", f"not told: {missing}; told besides: {more}")


def lossless(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """The same one priority pauses everywhere, RoCE data is marked, and both DSCP values have their class."""
    known = facts()
    for switch, name, _, view in _ports(planned, views, os):
        if view.pfc != {known.roce_priority}:
            found = ", ".join(map(str, sorted(view.pfc))) or "none"
            yield Finding(
                "pfc", switch.name, name, f"priority {found} pauses instead of {known.roce_priority}"
            )
        if not view.ecn:
            yield Finding("ecn", switch.name, name, "congestion is not marked")
    classes = {known.roce_dscp: known.roce_priority, known.cnp_dscp: known.cnp_priority}
    for switch, seen in _met(planned, views):
        for code, wanted in classes.items():
            if seen.classes.get(code) != wanted:
                yield Finding(
                    "dscp", switch.name, "", f"{code} is class {seen.classes.get(code)} instead of {wanted}"
                )


def neighbors(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """LLDP is on at every port: `railbed fabric verify` reads the cabling from it."""
    for switch, name, _, view in _ports(planned, views, os):
        if not view.lldp:
            yield Finding("lldp", switch.name, name, "LLDP is off")


def adaptive(planned: Sequence[Switch], views: Views, os: NetworkOs) -> Iterator[Finding]:
    """Adaptive routing is on at every port between switches, where it is asked for."""
    for switch, name, port, view in _ports(planned, views, os):
        if os.adaptive and port.to_switch and not view.adaptive:
            yield Finding("adaptive-routing", switch.name, name, f"off towards {port.peer}")


def secrets(planned: Sequence[Switch], views: Views, _os: NetworkOs) -> Iterator[Finding]:
    """No secret is in a configuration: rendered files go into repositories and mails."""
    for switch, view in _met(planned, views):
        for place in view.secrets:
            yield Finding("secret", switch.name, "", f"{place} holds a secret")


Check = Callable[[Sequence[Switch], Views, NetworkOs], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    present, cabled, once, mtus, numbers, addresses, sessions, lossless, neighbors, adaptive, secrets,
)  # fmt: skip


def _met(planned: Sequence[Switch], views: Views) -> Iterator[tuple[Switch, SwitchView]]:
    for switch in planned:
        if switch.name in views:
            yield switch, views[switch.name]


def _ports(
    planned: Sequence[Switch], views: Views, os: NetworkOs
) -> Iterator[tuple[Switch, str, Port, PortView]]:
    """Planned ports that are configured, with what is configured there."""
    for switch, view in _met(planned, views):
        for number, port in switch.ports.items():
            name = os.port(number)
            if name in view.ports:
                yield switch, name, port, view.ports[name]


def _peer(port: Port, os: NetworkOs) -> str:
    return f"{port.peer} {os.port(int(port.peer_port)) if port.to_switch else port.peer_port}"
