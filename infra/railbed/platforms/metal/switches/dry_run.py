"""A whole fabric rendered, linted, and compared with what its switches run. Nothing is ever applied."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from railbed.fabric import Fabric, Names
from railbed.platforms.metal.switches import lint_infiniband, opensm, underlay
from railbed.platforms.metal.switches.addresses import Networks, rail_plan
from railbed.platforms.metal.switches.guids import Guids
from railbed.platforms.metal.switches.lint import Finding, lint
from railbed.platforms.metal.switches.opensm import Manager
from railbed.platforms.metal.switches.partitions import Partition
from railbed.platforms.metal.switches.view import NetworkOs

Files = dict[str, dict[str, str]]
"""Switch (or subnet) → file name → text."""
RAILS = "rails.csv"
COLUMNS = ("node", "plane", "rail", "nic", "address", "gateway", "leaf", "port")


@dataclass(frozen=True)
class Rendered:
    """What a fabric is given, and what is wrong with it."""

    files: Files
    findings: list[Finding]
    rails: str
    """What the nodes are given, as CSV; empty for InfiniBand."""


class Comparable(Protocol):
    """Brings a file into the form and extent of the rendered one."""

    def __call__(self, file: str, text: str, rendered: str) -> str:
        """Raises UsageError for a text that is no such file."""
        ...


@dataclass(frozen=True)
class Difference:
    """One file that would change."""

    switch: str
    file: str
    diff: str
    """Unified, from what runs to what is planned."""

    def as_json(self) -> dict[str, Any]:
        """An entry of ``differences``."""
        return {"switch": self.switch, "file": self.file, "diff": self.diff}


def ethernet(fabric: Fabric, names: Names, networks: Networks, os: NetworkOs) -> Rendered:
    """All switches of an Ethernet fabric. The linter reads the texts, not what they were made from."""
    planned = underlay.switches(fabric, names, networks)
    files = {switch.name: os.render(switch) for switch in planned}
    views = {name: os.read(texts) for name, texts in files.items()}
    return Rendered(files, lint(planned, views, os), "".join(_rails(fabric, names, networks)))


def _rails(fabric: Fabric, names: Names, networks: Networks) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\n"
    for one in rail_plan(fabric, names, networks):
        yield ",".join(map(str, one)) + "\n"


def infiniband(
    fabric: Fabric, names: Names, manager: Manager, guids: Guids | None, wanted: list[Partition] | None
) -> Rendered:
    """The subnet manager's files, subnet by subnet."""
    files, findings = {}, []
    for subnet in opensm.subnets(fabric, names):
        files[subnet.name] = opensm.render(subnet, manager, guids, wanted)
        asked = lint_infiniband.Asked(subnet, manager, guids, wanted)
        findings += lint_infiniband.lint(asked, lint_infiniband.read(files[subnet.name]))
    return Rendered(files, findings, "")


def differences(
    planned: Files, running: Mapping[str, Mapping[str, str]], form: Comparable
) -> list[Difference]:
    """File by file, what the switches run against what is planned; a file that was not fetched counts as empty.

    Raises UsageError for a fetched text that is no such file.
    """
    found = []
    for switch, texts in planned.items():
        for file, text in texts.items():
            now = running.get(switch, {}).get(file)
            before = "" if now is None else form(file, now, text)
            after = form(file, text, text)
            if before != after:
                lines = difflib.unified_diff(
                    before.splitlines(keepends=True), after.splitlines(keepends=True),
                    f"running/{switch}/{file}", f"planned/{switch}/{file}",
                )  # fmt: skip
                found.append(Difference(switch, file, "".join(lines)))
    return found
