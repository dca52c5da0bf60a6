"""Packer's plugins as recipes use them (``plugins.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from railbed.catalog import strict_yaml
from railbed.catalog.facts import Facts

FILE = Path(__file__).with_name("plugins.yaml")


class Plugin(Facts):
    """One plugin."""

    address: str = Field(pattern=r"^github\.com/[\w-]+/[\w-]+$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    """Pinned exactly: an image is made by what was read about here."""
    published: str
    """Where that version is seen."""
    documentation: str
    required: list[str]
    """What its documentation asks for, beside credentials."""
    credentials: str
    """How it finds them by itself."""

    @property
    def name(self) -> str:
        """As ``required_plugins`` calls it."""
        return self.address.rsplit("/", 1)[1]


class Plugins(Facts):
    """The file."""

    title: str
    required_packer: dict[str, str]
    """``value`` and ``source``."""
    plugins: dict[str, Plugin]
    """By the type of their builder; ``ansible`` is the provisioner."""


@cache
def plugins() -> Plugins:
    """The file's content."""
    return Plugins.model_validate(strict_yaml.read(FILE))
