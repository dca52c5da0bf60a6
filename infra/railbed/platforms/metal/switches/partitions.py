"""Partitions of an InfiniBand fabric: who may talk with whom. From a file of the operator, or one for the cluster.

All ports are limited members of the default partition, so that only the subnet manager and the switches reach everyone
(NVIDIA InfiniBand Security Overview and Guidelines); a tenant is a partition with full members of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from railbed.catalog import strict_yaml
from railbed.catalog.facts import Facts
from railbed.errors import UsageError
from railbed.platforms.metal.switches.guids import Guids, written

RANGE = re.compile(r"^(.*)\[(\d{1,9})-(\d{1,9})\](.*)$")
GUID = re.compile(r"^0x[0-9a-fA-F]{1,16}$")
NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,31}$"
CLUSTER_KEY = 1
MAX_RANGE = 100_000


class Partition(Facts):
    """One partition as it is wanted."""

    name: str = Field(pattern=NAME)
    pkey: int = Field(gt=0, lt=0x7FFF)
    """Its key, without the bit for full membership; 0x7fff is the default partition's."""
    full: list[str] = Field(default_factory=list)
    """Nodes (``node-[0-15]`` stands for sixteen), or GUIDs of ports; they reach all members."""
    limited: list[str] = Field(default_factory=list)
    """Members that reach full members only."""
    ipoib: bool = True

    @field_validator("pkey", mode="before")
    @classmethod
    def _hexadecimal(cls, value: Any) -> Any:
        """``0x12`` too, as everybody writes keys."""
        return int(value, 16) if isinstance(value, str) and GUID.match(value) else value


class Wanted(Facts):
    """The operator's file."""

    partitions: list[Partition] = Field(min_length=1)


def load(file: Path) -> list[Partition]:
    """The partitions in a file. Raises UsageError for a file that does not hold."""
    try:
        wanted = Wanted.model_validate(strict_yaml.read(file)).partitions
    except strict_yaml.YamlProblem as problem:
        raise _wrong(f"{file}:{problem.line}", problem.message, problem.hint) from None
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise _wrong(
            f"{file}:{'.'.join(map(str, first['loc']))}", first["msg"], str(first.get("input"))[:80]
        ) from None
    for what, values in (("key", [hex(p.pkey) for p in wanted]), ("name", [p.name for p in wanted])):
        again = next((value for value in values if values.count(value) > 1), None)
        if again is not None:
            raise _wrong(f"{file}:partitions", f"two partitions have the {what} {again}", "give each its own")
    return wanted


def whole(nodes: list[str]) -> list[Partition]:
    """One partition for the whole cluster."""
    return [Partition(name="cluster", pkey=CLUSTER_KEY, full=nodes)]


def members(partition: Partition, nics: Mapping[str, list[str]], guids: Guids) -> dict[str, str]:
    """GUID of a port → ``full`` or ``limited``.

    ``nics`` is node → descriptions of its NICs in this subnet. NICs that were not seen are left out: the linter names
    them. Raises UsageError for a node that the plan does not have, and for one with both memberships.
    """
    found: dict[str, str] = {}
    for membership, names in (("full", partition.full), ("limited", partition.limited)):
        for name in expand(names):
            for guid in _of(partition, name, nics, guids):
                if found.setdefault(guid, membership) != membership:
                    raise _wrong(
                        partition.name, f"{name} would be a full and a limited member", "name it once"
                    )
    return found


def expand(names: list[str]) -> Iterator[str]:
    """``node-[0-2]`` as its three names; numbers keep the width of the first. Raises UsageError for a bad range."""
    for name in names:
        found = RANGE.match(name)
        if not found:
            yield name
            continue
        head, first, last, tail = found.groups()
        if not 0 <= int(last) - int(first) < MAX_RANGE:
            raise _wrong(name, "this is no range", "write it as node-[0-15]")
        for number in range(int(first), int(last) + 1):
            yield f"{head}{number:0{len(first)}d}{tail}"


def _of(partition: Partition, name: str, nics: Mapping[str, list[str]], guids: Guids) -> list[str]:
    if GUID.match(name):
        return [written(name)]
    if name not in nics:
        raise _wrong(
            f"partition {partition.name}", f"the plan has no node {name!r}", "see `railbed fabric export`"
        )
    return [guids.ports[nic] for nic in nics[name] if nic in guids.ports]


def _wrong(where: str, message: str, hint: str) -> UsageError:
    return UsageError(message, code="FABRIC_PARTITIONS", path=where, hint=hint)
