"""Services of the site that nodes use: time, names, proxies, the directory of people and their homes."""

from __future__ import annotations

from pydantic import Field

from railbed.spec.platforms import SpecModel
from railbed.spec.scalars import Address, DnsDomain, Server


class Dns(SpecModel):
    """Name servers of the site, beside those that a provider gives its hosts."""

    servers: list[Address] = Field(min_length=1, max_length=3)
    """Addresses of the name servers; glibc asks three at most (resolv.conf(5), MAXNS)."""
    search: list[DnsDomain] = Field(default=[], max_length=6)
    """Domains that short names are looked up in. Where a host has systemd-resolved, names in them go to these servers."""


class Site(SpecModel):
    """Services of the site that nodes use."""

    ntp: list[Server] = Field(default=[], max_length=8)
    """NTP servers that the controllers follow; empty: the provider's, where it has one at a fixed address."""
    dns: Dns | None = None
    """Name servers of the site; without it a host's resolver is left as the image and the provider have it."""
