"""A machine's cables: the lab's own, shaped and named as a container's, each bridged to the tap that QEMU has.

Everything is in the machine's network namespace, so whoever looks at, slows or cuts a cable does as with a container.
"""

from __future__ import annotations

from railbed.effects.lab import network
from railbed.effects.lab.hosts import HostSpec
from railbed.effects.lab.network import MANAGEMENT

TAP, BRIDGE = "tap-", "br-"


def interfaces(spec: HostSpec) -> list[str]:
    """Cable ends in the machine's namespace, which are its own names of its interfaces too."""
    return [MANAGEMENT, *(f"rail{rail.index}" for rail in spec.rails)]


def tap(interface: str) -> str:
    return f"{TAP}{interface}"


def ensure(spec: HostSpec) -> None:
    """Namespace, cables, taps and bridges as ``spec`` says; what is there is brought up and shaped anew."""
    space = spec.machine
    network.ensure_namespace(space)
    network.ensure_management(spec.lab_id, space, spec.address, spec.octet, spec.mtu, beyond=True)
    there = network.links(space)
    wanted = set(interfaces(spec))
    for extra in {name for name in there if name.startswith("rail")} - wanted:
        network.ip(space, "link", "del", extra)
    for rail in spec.rails:
        network.ensure_rail(spec.lab_id, spec.name, spec.octet, rail, there, beyond=True)
    for interface in interfaces(spec):
        mtu = spec.mtu if interface == MANAGEMENT else _mtu(spec, interface)
        _bridge(space, interface, mtu, set(there))


def _mtu(spec: HostSpec, interface: str) -> int:
    return next(rail.mtu for rail in spec.rails if f"rail{rail.index}" == interface)


def _bridge(space: str, interface: str, mtu: int, there: set[str]) -> None:
    bridge = f"{BRIDGE}{interface}"
    lines = []
    if bridge not in there:
        # It forwards and is nobody: no address of its own, and no wait before a new port forwards.
        lines += [f"link add {bridge} type bridge forward_delay 0", f"link set {bridge} addrgenmode none"]
    if tap(interface) not in there:
        lines.append(f"tuntap add dev {tap(interface)} mode tap")
    for port in (interface, tap(interface)):
        lines += [f"link set {port} addrgenmode none", f"link set {port} mtu {mtu} master {bridge} up"]
    network.ip_batch(space, [*lines, f"link set {bridge} mtu {mtu} up"])
