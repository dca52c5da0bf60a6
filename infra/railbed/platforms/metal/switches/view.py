"""What a switch's configuration says, in the same words for every network operating system; the linter reads this."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from railbed.platforms.metal.switches.underlay import Switch

SECRET_WORDS = frozenset({"password", "passwd", "passkey", "secret", "community", "psk", "token"})
WORDS = re.compile(r"[-_\s]+")


@lru_cache(maxsize=8192)
def names_a_secret(key: str) -> bool:
    """Whether a key's name says that its value is a secret."""
    return not SECRET_WORDS.isdisjoint(WORDS.split(key.lower()))


@dataclass(frozen=True)
class PortView:
    """One configured port."""

    mtu_bytes: int | None = None
    up: bool = False
    addresses: tuple[str, ...] = ()
    neighbor: bool = False
    """A BGP session runs over the port itself (unnumbered)."""
    adaptive: bool = False
    pfc: frozenset[int] = frozenset()
    """Priorities that pause."""
    ecn: bool = False
    """For the class of RoCE data."""
    lldp: bool = False
    description: str = ""


@dataclass(frozen=True)
class SwitchView:
    """One switch."""

    name: str
    asn: int | None
    loopbacks: tuple[str, ...] = ()
    announced: frozenset[str] = frozenset()
    """Prefixes that BGP advertises by name: networks and aggregates."""
    classes: Mapping[int, int] = field(default_factory=dict)
    """DSCP → traffic class, where the configuration says so."""
    ports: Mapping[str, PortView] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Places that hold a secret."""


class NetworkOs(Protocol):
    """One network operating system: renders, reads back, and makes two configurations comparable."""

    @property
    def adaptive(self) -> bool:
        """Whether adaptive routing is asked for."""
        ...

    def port(self, number: int) -> str:
        """Name of the port of this number in the cable map."""
        ...

    def render(self, switch: Switch) -> dict[str, str]:
        """File name → text."""
        ...

    def read(self, files: Mapping[str, str]) -> SwitchView:
        """What such files say. Raises UsageError for text that is no such file."""
        ...

    def comparable(self, file: str, text: str, rendered: str) -> str:
        """``text`` in the form and extent of ``rendered``: what railbed does not set is left out. Raises UsageError."""
        ...


def secrets_in(tree: Any, at: str = "") -> Iterator[str]:
    """Places below which a key's name says that its value is a secret."""
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        here = f"{at}.{key}" if at else str(key)
        if value not in ("", {}, None) and names_a_secret(str(key)):
            yield here
        else:
            yield from secrets_in(value, here)


def covered(running: Any, rendered: Any, whole: tuple[tuple[str, ...], ...]) -> Any:
    """The part of ``running`` that ``rendered`` speaks of: its keys, and everything below the paths in ``whole``."""
    if not isinstance(running, dict) or not isinstance(rendered, dict) or () in whole:
        return running
    deeper = {key: tuple(path[1:] for path in whole if path[0] in (key, "*")) for key in running}
    return {
        key: covered(value, rendered.get(key, {}), deeper[key])
        for key, value in running.items()
        if key in rendered or deeper[key]
    }
