"""A small fabric rendered for both network operating systems, and ways to break one thing in what was rendered."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from railbed.errors import UsageError
from railbed.fabric import FabricRequest, Names, plan
from railbed.platforms.metal.switches import layout, nvue, sonic
from railbed.platforms.metal.switches.addresses import Networks
from railbed.platforms.metal.switches.lint import Finding, lint
from railbed.platforms.metal.switches.nvue import Nvue
from railbed.platforms.metal.switches.sonic import Sonic
from railbed.platforms.metal.switches.underlay import Switch, switches

SMALL = plan(FabricRequest(nodes=4, rails=2, radix=4))
"""Four leaves of two nodes, two spines, one cable between each two."""
PLANNED = switches(SMALL, Names(), Networks())
NVUE, SONIC = Nvue(), Sonic(vendor="nvidia")
Os = Nvue | Sonic
Files = dict[str, dict[str, str]]


def rendered(os: Os, planned: list[Switch] | None = None) -> Files:
    """Switch → file → text."""
    return {switch.name: os.render(switch) for switch in (PLANNED if planned is None else planned)}


def linted(files: Files, os: Os, planned: list[Switch] | None = None) -> list[Finding]:
    """What the linter says of texts."""
    views = {name: os.read(texts) for name, texts in files.items()}
    return lint(PLANNED if planned is None else planned, views, os)


def checks(files: Files, os: Os) -> set[str]:
    """Names of the checks that found something."""
    return {finding.check for finding in linted(files, os)}


def change(files: Files, os: Os, switch: str, edit: Callable[[Any], Any]) -> Files:
    """The same files, but what one switch's structured file says was edited in place."""
    texts = dict(files[switch])
    if isinstance(os, Nvue):
        tree = nvue.parse(texts[nvue.FILE], nvue.FILE)
        edit(tree)
        texts[nvue.FILE] = layout.write(tree)
    else:
        tables = json.loads(texts[sonic.DATABASE])
        edit(tables)
        texts[sonic.DATABASE] = sonic.write(tables)
    return {**files, switch: texts}


@st.composite
def fabrics(draw: st.DrawFn) -> Any:
    """Any small fabric that the planner takes."""
    requested = FabricRequest(
        nodes=draw(st.integers(1, 24)), rails=draw(st.integers(1, 4)), radix=draw(st.integers(2, 12)),
        planes=draw(st.integers(1, 2)), oversubscription=Fraction(draw(st.sampled_from(["1", "3/2", "2"]))),
        extra_endpoints=draw(st.integers(0, 3)),
    )  # fmt: skip
    try:
        return plan(requested)
    except UsageError:
        return None
