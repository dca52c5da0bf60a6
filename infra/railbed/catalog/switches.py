"""Switches: how many ports at which rate, and how many of them share a cage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from railbed.catalog.facts import Facts, Published


class Mode(Facts):
    """One way to run a switch."""

    ports: int = Field(ge=2)
    """Radix: ports that can be cabled at this rate."""
    port_gbps: float = Field(gt=0)
    ports_per_transceiver: int = Field(ge=1)
    """Ports of one cage, which share a transceiver."""


class Switch(Published):
    """One switch model."""

    kind: Literal["infiniband", "ethernet"]
    modes: list[Mode] = Field(min_length=1)
    """The first is the one that a plan takes unless its radix asks for more ports."""
    price_usd: float | None = Field(default=None, gt=0)
    """List price of one, without transceivers."""

    def must_say(self) -> tuple[str, ...]:
        """A switch file gives a price or says that there is none."""
        return ("price_usd",)

    def mode(self, radix: int | None) -> Mode | None:
        """The first mode with at least ``radix`` ports, the first of all without one; None where none has so many."""
        return next((mode for mode in self.modes if mode.ports >= (radix or 0)), None)
