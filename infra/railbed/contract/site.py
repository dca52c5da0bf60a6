"""Services of the site in the contract: settings for nodes, never a secret."""

from __future__ import annotations

from typing import Literal

from railbed.claims import FrozenModel
from railbed.contract import scalars


class Dns(FrozenModel):
    """Name servers beside those that a host has of its provider."""

    servers: list[scalars.NameServer]
    search: list[scalars.Domain]


class Proxy(FrozenModel):
    """The proxy of nodes' downloads; an address that is empty is asked directly."""

    http: scalars.ProxyUrl
    https: scalars.ProxyUrl
    no_proxy: list[scalars.DirectHost]
    """Of the site; the cluster's own networks and names come beside them."""
    authenticated: bool
    """Its login is on the operator's machine."""


class Directory(FrozenModel):
    """The directory of people (LDAP); its fields are those of the spec."""

    uris: list[scalars.DirectoryServer]
    start_tls: bool
    ca: scalars.Certificates
    base: scalars.DistinguishedName
    kind: Literal["rfc2307", "rfc2307bis", "ad"]
    ids: Literal["posix", "sid"]
    first_id: int
    groups: list[scalars.DirectoryGroup]
    people_filter: scalars.DirectoryFilterOrNone = ""
    """Empty: everybody below the base."""
    bind_dn: scalars.DistinguishedName
    """Empty: nodes ask without logging in. Its password is on the operator's machine."""
    ssh_keys: bool


class Homes(FrozenModel):
    """Where people of the directory have their homes."""

    mount: scalars.Path
    """Of the filesystem."""
    path: scalars.Path
    """Folder of the homes, below the mount."""


class Services(FrozenModel):
    """What the site serves; a service that is None is left as the host has it."""

    dns: Dns | None = None
    proxy: Proxy | None = None
    directory: Directory | None = None
    homes: Homes | None = None
