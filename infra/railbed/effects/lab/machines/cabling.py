"""A machine's cables: the lab's own, shaped and named as a container's, each bridged to the tap that QEMU has.

Everything is in the machine's network namespace, so whoever looks at, slows or cuts a cable does as with a container. One thing
is not the same inside: tap and NIC know nothing of the cable, so a machine whose cable is cut loses its packets and keeps its
carrier. QEMU's `set_link` takes the carrier away (``control.tell``).
"""

from __future__ import annotations

from railbed.effects.lab import hosts, network
from railbed.effects.lab.hosts import HostSpec
from railbed.effects.lab.network import MANAGEMENT

TAP, BRIDGE = "tap-", "br-"
LLDP_PASSES = 0x4000


def tap(interface: str) -> str:
    return f"{TAP}{interface}"


def ensure(spec: HostSpec) -> None:
    """Namespace, cables, taps and bridges as ``spec`` says; what is there is brought up and shaped anew."""
    there = set(hosts.cable(spec, beyond=True))
    for interface, mtu in [(MANAGEMENT, spec.mtu), *((f"rail{rail.index}", rail.mtu) for rail in spec.rails)]:
        _bridge(spec.machine, interface, mtu, there)


def _bridge(space: str, interface: str, mtu: int, there: set[str]) -> None:
    bridge = f"{BRIDGE}{interface}"
    lines = []
    if bridge not in there:
        # It forwards and is nobody: no address of its own, and no wait before a new port forwards. LLDP, which a bridge keeps
        # to itself, passes it too (group_fwd_mask, bit 14: 01-80-C2-00-00-0E): it is a piece of the cable.
        lines += [
            f"link add {bridge} type bridge forward_delay 0 group_fwd_mask {LLDP_PASSES}",
            f"link set {bridge} addrgenmode none",
        ]
    if tap(interface) not in there:
        lines.append(f"tuntap add dev {tap(interface)} mode tap")
    for port in (interface, tap(interface)):
        lines += [f"link set {port} addrgenmode none", f"link set {port} mtu {mtu} master {bridge} up"]
    network.ip_batch(space, [*lines, f"link set {bridge} mtu {mtu} up"])
