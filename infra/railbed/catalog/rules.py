"""Compatibility as data: which versions there are, and what must hold between them."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source
from railbed.defaults import BOOT_PARAMETER


class Known(Facts):
    """One version of one component that a plan may choose."""

    version: str = Field(min_length=1)
    note: str = ""
    provenance: Source


class Rule(Facts):
    """``when`` all of it holds, ``require`` must hold too.

    Both map a subject to a condition. A subject is a component (``driver``), ``os``, or a fact of the machine
    (``machine.gpu_architecture``). A condition is a value, a list of values, true or false, or a text of comparisons
    (``">=5.15, <6.9"``; ``|`` between alternatives); ``none`` means that the component is not installed. In
    ``require`` also ``same as <component>``.
    """

    when: dict[str, Any] = Field(default_factory=dict)
    require: dict[str, Any] = Field(min_length=1)
    reason: str = Field(min_length=8)
    provenance: Source


class Trait(Facts):
    """What holds of a component in any version: its licence, and what a change of it asks for."""

    license: str = ""
    """SPDX identifier, or the publisher's name of its licence; empty where it changes with the version."""
    asks: list[Literal["drain", "reboot", "restart", "rebuild"]] = Field(default_factory=list)
    """In this order: drain the node; restart the service, or reboot; rebuild what ``rebuilds`` names."""
    rebuilds: list[str] = Field(default_factory=list)
    """Components that were built against it."""
    brought_with: list[str] = Field(default_factory=list)
    """Components that bring one of their own: nodes with one of them do not get it."""
    module: bool = False
    """Whether it is a kernel module that nodes build, and do without where only the distribution's own are loaded."""
    nodes: list[str] = Field(default_factory=list)
    """Groups of nodes that get it (``plan/node_classes.py``); empty: all."""
    reason: str = Field(min_length=8)
    """Why a change asks for that."""
    provenance: Source

    @model_validator(mode="after")
    def _rebuilds(self) -> Self:
        if ("rebuild" in self.asks) != bool(self.rebuilds):
            raise ValueError("`rebuild` in `asks` and names in `rebuilds` go together")
        return self

    @property
    def asks_text(self) -> str:
        """As one line."""
        steps = [step for step in self.asks if step != "rebuild"]
        return ", ".join([*steps, *(f"rebuild {name}" for name in self.rebuilds)]) or "nothing"


class PackageSet(Facts):
    """Packages of the distribution that nodes install for one purpose."""

    nodes: list[str] = Field(default_factory=list)
    """As of a component's ``Trait``."""
    when: dict[str, Any] = Field(default_factory=dict)
    """As of a release's component; also on components, and on ``hosts`` (``machine`` or ``container``)."""
    packages: list[str] = Field(min_length=1)
    reason: str = Field(min_length=8)
    provenance: Source


class BootParameter(Facts):
    """A parameter of the kernel that nodes boot with (docs.kernel.org, admin-guide/kernel-parameters)."""

    nodes: list[str] = Field(default_factory=list)
    """As of a component's ``Trait``."""
    when: dict[str, Any] = Field(default_factory=dict)
    """As of a ``PackageSet``."""
    parameter: str = Field(pattern=BOOT_PARAMETER)
    """One word of the kernel's command line."""
    reason: str = Field(min_length=8)
    provenance: Source


class NicFirmware(Facts):
    """Firmware of one generation of network cards."""

    drivers: str = Field(min_length=2)
    """Component of a release whose drivers it goes with."""
    least: str = Field(pattern=r"^\d{2}\.\d{1,3}\.\d{1,6}$")
    """Oldest version; the first number is the generation."""
    reason: str = Field(min_length=8)
    provenance: Source


class Rules(Entry):
    """A file of ``rules/``: rules, versions, components, packages, boot parameters, firmware, or several of them."""

    rules: dict[str, Rule] = Field(default_factory=dict)
    versions: dict[str, list[Known]] = Field(default_factory=dict)
    components: dict[str, Trait] = Field(default_factory=dict)
    packages: dict[str, PackageSet] = Field(default_factory=dict)
    boot_parameters: dict[str, BootParameter] = Field(default_factory=dict)
    nic_firmware: dict[str, NicFirmware] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> Self:
        kinds = ("rules", "versions", "components", "packages", "boot_parameters", "nic_firmware")
        if not any(getattr(self, kind) for kind in kinds):
            raise ValueError(f"a file of rules/ has one of {', '.join(kinds)} below `parts`")
        return self
