"""Bases of the spec's parts."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from railbed.catalog import STOCK
from railbed.claims import FrozenModel
from railbed.spec.scalars import Name


class SpecModel(FrozenModel):
    """Base of the spec's parts: the docstrings of fields are their descriptions in the JSON Schema."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class ProfileOnly(SpecModel):
    """What nodes started from that railbed gives no image."""

    profile: Name = STOCK
    """Image profile, e.g. ``azure-hpc``: what the image brings, and in which versions (`railbed catalog list`)."""


class PlatformModel(SpecModel):
    """Base of the platforms."""

    vendor: ClassVar[str] = ""
    """Whose machines of the catalogue its pools name; empty: its own."""
    whole_machines: ClassVar[bool] = False
    """Whether its GPU shapes are, or can be, whole machines (BM.*, ecs.ebm*, Ironic)."""
