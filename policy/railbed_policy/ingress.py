"""Who may come in, read from any provider's rules."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from railbed_policy.facts import Ingress
from railbed_policy.values import UNKNOWN, found

ALL = (0, 65535)
WORDS = ("*", "internet", "any")
"""Azure's words for everybody."""
NOT_TCP = ("udp", "icmp", "icmpv6", "17", "1", "58", "esp", "ah", "gre", "50", "51", "47")
WORLD_PREFIX = 8
"""A shorter IPv4 prefix (or the same share of IPv6) is no network of anybody's: half the internet is the internet."""


@dataclass(frozen=True)
class Opening:
    """One rule that lets TCP in."""

    sources: tuple[str, ...]
    ports: tuple[tuple[int, int], ...]

    def reaches(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ports)

    def to_the_world(self) -> str:
        """The source that is everybody; empty where none is."""
        return next((source for source in self.sources if is_world(source)), "")


def is_world(source: str) -> bool:
    """True for a source that is the internet or most of it."""
    if source.lower() in WORDS:
        return True
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return False
    return network.prefixlen < (WORLD_PREFIX if network.version == 4 else WORLD_PREFIX // 2)


def openings(shape: Ingress, props: dict[str, Any]) -> Iterator[Opening]:
    """What the resource lets in. An unknown source is no network that anybody wrote down, and is passed over."""
    for rule in [one for one in found(props, shape.each) if isinstance(one, dict)] if shape.each else [props]:

        def read(path: str, rule: dict[str, Any] = rule) -> list[Any]:
            return list(found(rule, path)) or list(found(props, path))

        if not all(_holds(read(path), word) for path, word in shape.when.items()):
            continue
        if shape.protocol and any(str(one).lower() in NOT_TCP for one in read(shape.protocol)):
            continue
        given = [one for path in shape.source for one in read(path) if one != []]
        grouped = any(one != [] for path in shape.groups for one in read(path))
        if not given and not grouped and shape.open_without_source:
            given = ["0.0.0.0/0"]
        yield Opening(tuple(str(one) for one in given if one is not UNKNOWN), tuple(_ports(shape, read)))


def _holds(values: list[Any], word: str) -> bool:
    return not values or any(value is UNKNOWN or str(value).lower() == word.lower() for value in values)


def _ports(shape: Ingress, read: Any) -> Iterator[tuple[int, int]]:
    ranges = [one for path in shape.ports for one in read(path) if one != []]
    if shape.first:
        firsts, lasts = read(shape.first), read(shape.last)
        if firsts and firsts[0] is not UNKNOWN and int(firsts[0]) > 0:
            yield int(firsts[0]), int(lasts[0]) if lasts and lasts[0] is not UNKNOWN else ALL[1]
        elif not ranges:
            # No port, -1 and 0 all mean every port, save for 0 to a port.
            known = [int(one) for one in lasts if one is not UNKNOWN and int(one) > 0]
            yield 0, known[0] if known and firsts else ALL[1]
    elif not ranges:
        yield ALL
    for text in ranges:
        yield _range(str(text))


def _range(text: str) -> tuple[int, int]:
    """``22``, ``20-30``, ``22/22``; anything else (``*``, ``-1/-1``, unknown) is every port."""
    first, _, last = text.replace("/", "-").partition("-")
    if not first.isdigit():
        return ALL
    return int(first), int(last) if last.isdigit() else int(first)
