"""How a node is mended, as data: the rungs of the ladder with their budgets, and which rungs a fault asks for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source

RungName = Literal["roles", "services", "reset", "reboot", "power-cycle"]
ORDER: tuple[RungName, ...] = ("roles", "services", "reset", "reboot", "power-cycle")
"""From what disturbs least to what disturbs most. The roles run after each of them."""


EndName = Literal["spare"]
"""What is done where no rung is left: a spare takes the node's place, where its pool keeps one."""


class Rung(Facts):
    """How often a rung may be taken: what it did not mend twice it will not mend."""

    per_node_week: int = Field(ge=1)
    per_pool_hour_share: float = Field(gt=0, le=1)
    """Of the pool's nodes, within an hour; at least ``per_pool_hour_least``."""
    per_pool_hour_least: int = Field(ge=1)
    reason: str = Field(min_length=8)
    provenance: Source


class Remedy(Facts):
    """What a fault asks for: rungs one after the other. None: a part has to be replaced, and nothing else helps."""

    rungs: list[RungName]
    reason: str = Field(min_length=8)
    provenance: Source


class Remedies(Entry):
    """The ladder. A fault that is not in it asks for what ``unknown`` does."""

    rungs: dict[RungName, Rung]
    ends: dict[EndName, Rung] = Field(default_factory=dict)
    """None: the node stays out, and that is all."""
    remedies: dict[str, Remedy]
    """Code of the health check, ``xid-N``, or XID 154's words for what the GPU needs (``recovery-…``)."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if lacking := [rung for rung in ORDER if rung not in self.rungs]:
            raise ValueError(f"no budget of {', '.join(lacking)}")
        if "unknown" not in self.remedies:
            raise ValueError("nothing says what a fault of no other row asks for (`unknown`)")
        for code, one in self.remedies.items():
            places = [ORDER.index(rung) for rung in one.rungs]
            if places != sorted(set(places)):
                raise ValueError(f"{code}: rungs go up, each once")
        return self

    def of(self, code: str) -> Remedy:
        """What a fault asks for."""
        return self.remedies.get(code) or self.remedies["unknown"]
