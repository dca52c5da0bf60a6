"""Settings of NCCL that a search found and an operator took over, with what was measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.spec.model import SpecModel
from railbed.spec.scalars import Day, Key, NodeCount

SettingName = Annotated[str, Field(max_length=64, pattern=r"^(OFI_)?NCCL_[A-Z0-9_]+$")]
SettingValue = Annotated[str, Field(max_length=16, pattern=r"^[A-Za-z0-9]+$")]
Version = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9.:+~_-]*$")]
Percent = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


class TunedCollectives(SpecModel):
    """One result of `railbed tune collectives`: nodes of the machine get the settings; without the entry they lose them."""

    machine: Key
    """Of the pools whose nodes get them."""
    settings: dict[SettingName, SettingValue] = Field(min_length=1, max_length=8)
    """Each one that the search's space of the machine's transport has, with one of its values."""
    collective: Literal["all_reduce", "all_gather", "reduce_scatter", "alltoall"]
    """What was measured."""
    nodes: NodeCount
    """On so many nodes."""
    effect_percent: Percent
    """How much faster it was, per cent of its bus bandwidth before."""
    low_percent: Percent
    """Lower end of the interval of 95 %."""
    high_percent: Percent
    pairs: Annotated[int, Field(ge=6, le=10_000)]
    """Pairs of starts that say so."""
    measured: Day
    """When, YYYY-MM-DD."""
    versions: dict[Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")], Version] = Field(
        min_length=1, max_length=16
    )
    """Component → version that it was measured with; with another one the plan warns."""
