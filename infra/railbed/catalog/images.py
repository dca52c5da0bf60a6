"""Image profiles: what a machine image brings, in which versions it is taken as it is, and what of it stays."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source
from railbed.defaults import BOOT_PARAMETER

STOCK = "stock"
"""The profile of an image that brings nothing but its system."""
DRIVER = "nvidia_driver"
_VERSION = r"^([0-9][0-9A-Za-z.]*)?$"
_PATTERN = r"^[a-z0-9*][a-z0-9+.*-]*$"


class Use(Facts):
    """A kind of node that the image is for."""

    when: dict[str, Any] = Field(min_length=1)
    """As of a release's component: on ``os`` and on facts of the machine."""
    reason: str = Field(min_length=8)
    provenance: Source


class Brought(Facts):
    """A component that the image has: where a node shows its version, and which versions are taken."""

    at_least: str = Field(pattern=_VERSION, min_length=1)
    below: str = Field(default="", pattern=_VERSION)
    """The first version that is not taken; empty: none is too new."""
    kernel: bool = False
    """The version is that of the running kernel."""
    module: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    """The version is that of this kernel module's file (modinfo)."""
    packages: list[str] = Field(default_factory=list)
    """The version is that of the first installed package that fits one of these names, which may have ``*``."""
    file: str = Field(default="", pattern=r"^(/[A-Za-z0-9._/-]+)?$")
    """The version is the first number with a dot in this file."""
    holds: list[str] = Field(default_factory=list)
    """Names of packages, with ``*``, that must not move either."""
    always: bool = False
    """Whether the image has it on machines too for which a release chooses nothing of that name."""
    reason: str = Field(min_length=8)
    provenance: Source

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if sum(map(bool, (self.kernel, self.module, self.packages, self.file))) != 1:
            raise ValueError("a version is shown by one of `kernel`, `module`, `packages`, `file`")
        if wrong := [name for name in (*self.packages, *self.holds) if not re.match(_PATTERN, name)]:
            raise ValueError(f"no name of a package: {wrong[0]}")
        return self

    @property
    def accepts(self) -> str:
        """As a condition of the rules: ``>=580, <600``."""
        return f">={self.at_least}" + (f", <{self.below}" if self.below else "")


class Follower(Facts):
    """A component that the image lacks and that must have the version of the image's driver."""

    packages: list[str] = Field(min_length=1)
    """Packages that bring it, of one of the release's sources."""
    reason: str = Field(min_length=8)
    provenance: Source


class Kept(Facts):
    """Something of the image that stays as it is, or something that nodes of the image do without."""

    reason: str = Field(min_length=8)
    provenance: Source


class KeptWord(Facts):
    """A word that the image gives its kernel's command line, and that stays: no other word of its name is added."""

    parameter: str = Field(pattern=BOOT_PARAMETER)
    when: dict[str, Any] = Field(default_factory=dict)
    """As of a release's component, on facts of the machine; empty: always."""
    reason: str = Field(min_length=8)
    provenance: Source


class Named(Facts):
    """How the provider calls images of the profile."""

    pattern: str = Field(min_length=8)
    """Regular expression over the image's name, or over its family's. A group that is named like a component of ``brings`` is the
    beginning of that component's version."""
    reason: str = Field(min_length=8)
    provenance: Source

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            re.compile(self.pattern)
        except re.error as wrong:
            raise ValueError(f"no regular expression: {self.pattern}: {wrong}") from None
        return self


class Published(Facts):
    """A published image of this profile, as its provider calls it."""

    name: str = Field(min_length=4)
    how: str = Field(min_length=8)
    """How the name becomes the ``id`` of a spec."""
    provenance: Source


class ImageProfile(Entry):
    """One sort of image."""

    device_names: Literal["kernel", "image"] = "kernel"
    """Who names the RDMA devices: the kernel by their place, or a service of the image."""
    stamp: str = Field(default="", pattern=r"^(/[A-Za-z0-9._/-]+)?$")
    """File with such an image's release; empty where it holds no release. It is asked until a node was converged."""
    mpi_home: str = Field(default="", pattern=r"^(/[A-Za-z0-9._*/-]+)?$")
    """Folder of the MPI that the image brings, which may have ``*``."""
    scratch: str = Field(default="", pattern=r"^(/[A-Za-z0-9._/-]+)?$")
    """Where the image itself mounts the local drives; empty: it leaves them alone."""
    used_on: dict[str, Use] = Field(default_factory=dict)
    """Nodes that it is for; none: any."""
    brings: dict[str, Brought] = Field(default_factory=dict)
    """Component of a release → how the image has it."""
    follows: dict[str, Follower] = Field(default_factory=dict)
    """Component of a release → what brings it in the version of the image's driver."""
    apt_sources: dict[str, Kept] = Field(default_factory=dict)
    """Files of ``/etc/apt/sources.list.d`` that stay."""
    apt_preferences: dict[str, Kept] = Field(default_factory=dict)
    """Files of ``/etc/apt/preferences.d`` that go: with them apt does not take what the release asks for."""
    services: dict[str, Kept] = Field(default_factory=dict)
    """Units of systemd that must go on working."""
    silenced: dict[str, Kept] = Field(default_factory=dict)
    """Units of systemd that stay enabled and do nothing more: they would write over what roles write."""
    boot_line: dict[str, KeptWord] = Field(default_factory=dict)
    """Words of the kernel's command line that stay."""
    not_asked: dict[str, Kept] = Field(default_factory=dict)
    """Components and packages that nodes of the image are never asked to install."""
    doubts: dict[str, Kept] = Field(default_factory=dict)
    """Components of a release that nodes of the image may not get, or that may clash with it: the plan warns of them."""
    names: dict[str, Named] = Field(default_factory=dict)
    """How the provider calls its images of this profile."""
    published: dict[str, Published] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.follows and DRIVER not in self.brings:
            raise ValueError(f"`follows` needs {DRIVER} in `brings`: there is no driver to follow")
        if twice := sorted(self.brings.keys() & (self.follows.keys() | self.not_asked.keys())):
            raise ValueError(f"{', '.join(twice)} is in `brings` and in `follows` or `not_asked` too")
        groups = {word for one in self.names.values() for word in re.compile(one.pattern).groupindex}
        if strange := sorted(groups - self.brings.keys()):
            raise ValueError(f"`names` tells versions of {', '.join(strange)}, which `brings` has not")
        return self
