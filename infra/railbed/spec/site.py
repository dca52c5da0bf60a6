"""Services of the site that the cluster uses: time, names, a proxy, the directory of people, their homes, whom alerts reach."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from railbed.spec.alerts import Alerts
from railbed.spec.model import SpecModel
from railbed.spec.scalars import Address, DnsDomain, Name, Server

DirectoryServer = Annotated[
    str, Field(max_length=255, pattern=r"^ldaps?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$")
]
"""``ldaps://NAME`` or ``ldap://NAME``, with a port where it is another one."""
DistinguishedName = Annotated[
    str, Field(max_length=512, pattern=r"^\p{L}+=[\p{L}\p{N} =,._@/:+-]*[\p{L}\p{N}]$")
]
"""Of an entry, e.g. ``cn=reader,dc=example,dc=org``; without characters that are escaped."""
DirectoryGroup = Annotated[
    str, Field(max_length=255, pattern=r"^[\p{L}\p{N}_]([\p{L}\p{N}_. @-]*[\p{L}\p{N}_-])?$")
]
"""A group's name."""


VALUE = r"(?:[^\\()*]|\\[0-9A-Fa-f]{2})"
ITEM = re.compile(
    rf"[A-Za-z0-9](?:[A-Za-z0-9.;:-]*[A-Za-z0-9])?(?:=(?:{VALUE}|\*)*|(?:~=|>=|<=|:=){VALUE}*)\Z"
)
"""One attribute and what it is compared with (RFC 4515, section 3): ``\\`` only before two hexadecimal digits."""
NO_FILTER = "is no LDAP filter (RFC 4515): `(attribute=value)`, or `(&(…)(…))`, `(|(…)(…))`, `(!(…))` of such"


def _ldap_filter(text: str) -> str:
    """Raises ValueError where an LDAP server would refuse it: SSSD then finds nobody, and nobody logs in."""
    if _filter_end(text, 0) != len(text):
        raise ValueError(f"{text!r} is more than one filter: `(&(…)(…))` joins several")
    return text


def _filter_end(text: str, at: int) -> int:
    """Where the filter ends that begins at ``at``. Raises ValueError for what is none."""
    if text[at : at + 1] != "(":
        raise ValueError(f"{text[at:] or text!r} {NO_FILTER}")
    kind, end = text[at + 1 : at + 2], at + 2
    if kind not in ("&", "|", "!"):
        end = text.find(")", at)
        if end < 0 or not ITEM.match(text[at + 1 : end]):
            raise ValueError(f"{text[at : end + 1] if end > 0 else text[at:]!r} {NO_FILTER}")
        return end + 1
    count = 0
    while text[end : end + 1] == "(":
        end, count = _filter_end(text, end), count + 1
    if text[end : end + 1] != ")" or not count or (kind == "!" and count > 1):
        raise ValueError(f"{text[at : end + 1]!r} {NO_FILTER}")
    return end + 1


DirectoryFilter = Annotated[
    str, Field(max_length=1000, pattern=r"^\([ ->@-z|~]+\)$"), AfterValidator(_ldap_filter)
]
"""An LDAP filter (RFC 4515), without ``?``, which ends it in SSSD's search bases, and without braces."""

ProxyUrl = Annotated[
    str, Field(max_length=255, pattern=r"^http://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}$")
]
"""``http://HOST:PORT``: what a client says to the proxy is plain, also where it asks for https://."""
DirectHost = Annotated[
    str, Field(max_length=253, pattern=r"^[.]?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(/[0-9]{1,2})?$")
]
"""A host, a ``.domain`` or a network."""


class Dns(SpecModel):
    """Name servers of the site, beside those that a provider gives its hosts."""

    servers: list[Address] = Field(min_length=1, max_length=3)
    """Addresses of the name servers; glibc asks three at most (resolv.conf(5), MAXNS)."""
    search: list[DnsDomain] = Field(default=[], max_length=6)
    """Domains that short names are looked up in. Where a host has systemd-resolved, names in them go to these servers."""


class Proxy(SpecModel):
    """The site's proxy for downloads of nodes. railbed's own downloads, on the operator's machine, are not changed by it."""

    http: ProxyUrl | None = None
    """Proxy for ``http://``, as ``http://HOST:PORT``."""
    https: ProxyUrl | None = None
    """Proxy for ``https://``, as ``http://HOST:PORT``."""
    no_proxy: list[DirectHost] = Field(default=[], max_length=64)
    """Hosts, .domains and networks that are reached directly, e.g. the site's mirror; the cluster's own are known."""
    authenticated: bool = False
    """Whether the proxy asks for a login: ``USER:PASSWORD`` in ``.railbed/<stack>/secrets/proxy.login``; apt alone uses it."""


class Directory(SpecModel):
    """The directory (LDAP) of the people who use the cluster; its traffic is always encrypted and its certificate checked."""

    uris: list[DirectoryServer] = Field(min_length=1, max_length=8)
    """Servers, in the order in which they are asked: all ``ldaps://``, or all ``ldap://`` with ``start_tls``."""
    start_tls: bool = False
    """Whether ``ldap://`` turns to TLS before anything is asked; without it only ``ldaps://`` is taken."""
    ca: Annotated[str, Field(max_length=262_144)]
    """Certificates of the authorities that signed those of the servers, in PEM."""
    base: DistinguishedName
    """Where people and groups are, e.g. ``dc=example,dc=org``."""
    kind: Literal["rfc2307", "rfc2307bis", "ad"] = "rfc2307"
    """Attributes: groups that list logins (RFC 2307), groups that list entries (rfc2307bis), or Active Directory's."""
    ids: Literal["posix", "sid"] = "posix"
    """Where user and group ids come from: ``uidNumber`` and ``gidNumber``, or, of ``ad`` only, computed from the SID."""
    first_id: Annotated[int, Field(ge=1000, le=2_000_000_000)] = 1000
    """Smallest id that the directory may give: accounts and groups below are the system's."""
    groups: list[DirectoryGroup] = Field(min_length=1, max_length=64)
    """Groups whose members may log in; nobody else may."""
    people_filter: DirectoryFilter | None = None
    """Whom nodes know, e.g. ``(employeeStatus=active)``; without it everybody below ``base``. Who does not fit is no user on any
    node, logs in nowhere and runs no job, also as a member of ``groups``."""
    bind_dn: DistinguishedName | None = None
    """Whom nodes log in as; its password is in ``.railbed/<stack>/secrets/directory.password``. Without it: anonymously."""
    ssh_keys: bool = True
    """Whether people's SSH keys are the directory's (``sshPublicKey``), beside those in their homes."""


class Homes(SpecModel):
    """Home directories of the directory's people, on a filesystem of the cluster. Admins' homes stay on each host."""

    filesystem: Name
    """Name of one of ``filesystems``."""
    path: Annotated[str, Field(min_length=1, max_length=200)] = "home"
    """Folder below its mount that holds the homes; made where it is missing, never removed."""


class Site(SpecModel):
    """Services of the site that the cluster uses."""

    ntp: list[Server] = Field(default=[], max_length=8)
    """NTP servers that the controllers follow; empty: the provider's, where it has one at a fixed address."""
    dns: Dns | None = None
    """Name servers of the site; without it a host's resolver is left as the image and the provider have it."""
    proxy: Proxy | None = None
    """The proxy that nodes download through; without it they ask directly."""
    directory: Directory | None = None
    """The directory of people; without it only admins log in."""
    homes: Homes | None = None
    """Where people of the directory have their homes; without it where the directory says, and nothing makes them."""
    alerts: Alerts | None = None
    """Who is told of alerts; without it they show on the controllers and reach nobody."""
