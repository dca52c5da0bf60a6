"""Settings of NCCL that a search may try over one transport, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Self

from packaging.version import Version
from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source

NAME = r"^(OFI_)?NCCL_[A-Z0-9_]+$"
VALUE = re.compile(r"[A-Za-z0-9]{1,16}")
NEVER = re.compile(
    r"NCCL_(NTHREADS|CHUNK_SIZE|ALGO|PROTO|DEBUG.*|IB_(HCA|TC|SL|GID_INDEX|PKEY)|SOCKET_IFNAME|NET|.*_DISABLE|.*TIMEOUT.*)"
)
"""No search may try them: some gave wrong sums (NVIDIA/nccl issues 698, 2408), one for all sizes is no tuning (ALGO, PROTO),
others are the fabric's, or hide a fault."""


class Knob(Facts):
    """One setting."""

    default: str
    """What holds where nobody sets it; empty where no value says so."""
    values: list[str] = Field(min_length=1)
    """To try; none is the default."""
    beside: dict[str, list[str]] = Field(default_factory=dict)
    """Other settings that it has an effect with only, and their values."""
    nccl_from: str = Field(default="", pattern=r"^(\d+\.\d+(\.\d+)?)?$")
    """First version of NCCL that has it; empty: any that nodes run."""
    reason: str = Field(min_length=8)
    safe: str = Field(min_length=8)
    """Why no value of it changes results."""
    provenance: Source

    def tried(self, name: str, present: Mapping[str, str]) -> list[dict[str, str]]:
        """The settings that it stands for, beside what is ``present``: those that say the same are left out."""
        rests = [dict(zip(self.beside, some, strict=True)) for some in product(*self.beside.values())]
        found = []
        for value in filter(None, (self.default, *self.values)):
            for rest in rests:
                if value == present.get(name, self.default) or (rest and value == self.default):
                    continue
                found.append({name: value} | {o: v for o, v in rest.items() if present.get(o) != v})
        return found


class Tuning(Entry):
    """The space of one transport; its key is the transport."""

    knobs: dict[str, Knob]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name, knob in self.knobs.items():
            if not re.fullmatch(NAME, name) or NEVER.fullmatch(name):
                raise ValueError(f"{name} is in no space: see NEVER in catalog/tuning.py")
            words = [*knob.values, *([knob.default] if knob.default else [])]
            if odd := [word for word in words if not VALUE.fullmatch(word)]:
                raise ValueError(f"{name}: {odd[0]!r} is no value")
            if len(set(words)) < len(words):
                raise ValueError(f"{name}: values differ from each other and from the default")
            for other, values in knob.beside.items():
                if other not in self.knobs or other == name or set(values) - set(self.knobs[other].values):
                    raise ValueError(f"{name}: {other} is not in this space with the values {values}")
        return self

    def candidates(self, present: Mapping[str, str], nccl: str) -> list[dict[str, str]]:
        """What to try beside ``present`` settings, one knob at a time save for those that need another.

        ``nccl``: its version on the nodes; where it is unknown (empty), knobs that need one are left out.
        """
        found: list[dict[str, str]] = []
        for name, knob in self.knobs.items():
            if knob.nccl_from and not (nccl and Version(nccl) >= Version(knob.nccl_from)):
                continue
            found += [one for one in knob.tried(name, present) if one not in found]
        return found
