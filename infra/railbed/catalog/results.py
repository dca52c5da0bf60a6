"""Published bus bandwidths of healthy machines: what floors of hardware are made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from railbed.catalog.facts import Facts, Source


class Rate(Facts):
    """One healthy result."""

    collective: str
    algorithm: Literal["ring", "tree", "nvls", "nvlstree", "collnet"] | None = None
    """None where NCCL chose."""
    size_gib: float = Field(gt=0)
    busbw_gbytes_per_s: float = Field(gt=0)


class Results(Facts):
    """What one system reached, as one source has it."""

    machine: str = ""
    """Catalogue key of what was measured; empty where nobody sells it by a name of the catalogue."""
    fabric: str
    """Rails, rate and transport, e.g. ``8 × 400 Gb/s roce``: between nodes only machines of the same fabric are alike."""
    nodes: int = Field(ge=1)
    domains: int = Field(ge=1)
    """NVLink domains that these nodes are in."""
    rates: list[Rate] = Field(min_length=1)
    provenance: Source
