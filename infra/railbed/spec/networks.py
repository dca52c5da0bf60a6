"""Networks of a spec: none overlaps another, and each has room for what it must hold."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from itertools import combinations

from railbed.defaults import FIRST_HOST_OCTET, LAST_HOST_OCTET
from railbed.errors import SpecError
from railbed.spec import spares
from railbed.spec.cluster import ClusterSpec
from railbed.spec.platforms import LabPlatform


def check(spec: ClusterSpec, where: str) -> None:
    """Raises the first SpecError that the networks of ``spec`` deserve."""
    _apart([(f"access.ssh_from[{i}]", text) for i, text in enumerate(spec.access.ssh_from)], where)
    if isinstance(spec.platform, LabPlatform):
        _lab(spec, spec.platform, where)


def _lab(spec: ClusterSpec, platform: LabPlatform, where: str) -> None:
    hosts = spec.compute_nodes + spares.total(spec)
    room = LAST_HOST_OCTET - FIRST_HOST_OCTET + 1
    if hosts > room:
        raise SpecError(
            f"the pools have {hosts} nodes, and a lab network has addresses for {room}",
            path=f"{where}.pools",
            found=hosts,
            allowed=f"≤ {room} nodes and spares",
            hint="a lab of that size would not fit one machine either; take fewer",
        )
    _apart(
        [
            ("platform.management_cidr", platform.management_cidr),
            ("platform.rails_cidr", platform.rails_cidr),
        ],
        where,
    )
    management, rails = (ipaddress.IPv4Network(c) for c in (platform.management_cidr, platform.rails_cidr))
    if management.prefixlen != 24:
        raise SpecError(
            "the lab's management network is a /24",
            path=f"{where}.platform.management_cidr",
            found=platform.management_cidr,
            allowed="a /24, like 10.90.0.0/24",
            hint="write a /24",
        )
    wanted = spec.fabric.rails if spec.fabric else 0
    if rails.prefixlen > 24 or 2 ** (24 - rails.prefixlen) < wanted:
        raise SpecError(
            f"each rail needs a /24 of rails_cidr and there are {wanted} rails",
            path=f"{where}.platform.rails_cidr",
            found=platform.rails_cidr,
            allowed="a /16, like 10.91.0.0/16",
            hint="write a larger network",
            code="SPEC_SUM",
        )


def _apart(networks: Iterable[tuple[str, str]], where: str) -> None:
    for (_, first), (at, second) in combinations(networks, 2):
        a, b = ipaddress.ip_network(first), ipaddress.ip_network(second)
        if a.version == b.version and a.overlaps(b):
            raise SpecError(
                f"the networks {first} and {second} overlap",
                path=f"{where}.{at}",
                found=second,
                allowed=f"a network apart from {first}",
                hint="choose another",
                code="SPEC_OVERLAP",
            )
