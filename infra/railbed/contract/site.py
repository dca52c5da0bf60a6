"""Services of the site, as the contract carries them: what nodes are told, and never a secret."""

from __future__ import annotations

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import scalars


class Dns(FrozenModel):
    """Name servers beside those that a host has of its provider."""

    servers: list[scalars.NameServer]
    search: list[scalars.Domain]


class Services(FrozenModel):
    """What the site serves; a service that is None is left as the host has it."""

    dns: Dns | None = Field(default=None)
