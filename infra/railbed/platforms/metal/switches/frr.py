"""FRRouting's configuration of one switch: rendered, and read back as far as the linter asks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from railbed.platforms.metal.switches.underlay import Switch

TEMPLATE = Path(__file__).with_name("frr.conf.j2")
MAX_PATHS = 128
"""Largest value of ``maximum-paths`` that FRR documents."""
SET_BY_SWITCH = ("frr version ", "fpm ", "no fpm ", "end")
"""What FRR and SONiC's BGP container write into the file by themselves."""
HIDDEN = re.compile(r"(\bpassword\s+(?:\d+\s+)?)\S+")


@dataclass
class Frr:
    """What such a file says of BGP."""

    asn: int | None = None
    neighbors: set[str] = field(default_factory=set)
    """Interfaces with an unnumbered session."""
    announced: set[str] = field(default_factory=set)
    secrets: list[str] = field(default_factory=list)


@cache
def _template() -> Template:
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - no HTML
    return made.from_string(TEMPLATE.read_text())


def render(switch: Switch, uplinks: list[str]) -> str:
    """The file of a switch whose sessions run over these interfaces."""
    text = _template().render(switch=switch, uplinks=uplinks, paths=min(len(uplinks), MAX_PATHS))
    return text if text.endswith("\n") else f"{text}\n"


def read(text: str) -> Frr:
    """What a file says; a line that is not understood says nothing."""
    found, section = Frr(), ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("!"):
            continue
        if "password" in words:
            found.secrets.append(f"line {number}")
        if not line.startswith(" "):
            section = " ".join(words[:2])
            if section == "router bgp" and len(words) > 2 and words[2].isdecimal():
                found.asn = int(words[2])
        elif section == "router bgp":
            _bgp(found, words)
    return found


def _bgp(found: Frr, words: list[str]) -> None:
    if words[0] == "neighbor" and len(words) > 2 and words[2] == "interface":
        found.neighbors.add(words[1])
    elif words[0] in ("network", "aggregate-address") and len(words) > 1:
        found.announced.add(words[1])


def comparable(text: str) -> str:
    """Without comments, blank lines and what the switch writes by itself, and with passwords hidden."""
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for line in lines if line.strip() and not line.strip().startswith(("!", *SET_BY_SWITCH))]
    return "".join(HIDDEN.sub(r"\1…", line) + "\n" for line in kept)
