"""The strings of a contract: each has a form. They become lines of configuration files and words of commands.

None takes a line end or a control character, none that stands alone as a word begins with a hyphen. Forms are generous
where a provider makes the value, and closed where railbed does.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from railbed.defaults import BOOT_PARAMETER, NAME_PATTERN
from railbed.text import LINE_PATTERN

_NAME = NAME_PATTERN.strip("^$")
_LINE = LINE_PATTERN.strip("^$")
_IPV4 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_KEY_TYPES = (
    r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)
_ARMOUR = (
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n([A-Za-z0-9+/]+\n)*[A-Za-z0-9+/]+={0,2}\n(=[A-Za-z0-9+/]{4}\n)?"
    r"-----END PGP PUBLIC KEY BLOCK-----\n"
)
"""As GnuPG writes it: without headers."""
LONGEST_NAME = 128
"""A pool's name and a number."""

Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=NAME_PATTERN)]
NameOrNone = Annotated[str, Field(max_length=LONGEST_NAME, pattern=rf"^({_NAME})?$")]
Login = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Host = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")]
"""A DNS name or an address."""
HostOrNone = Annotated[str, Field(max_length=253, pattern=r"^([A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?)?$")]
Domain = Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$")]
NameServer = Annotated[str, Field(max_length=45, pattern=r"^[0-9a-fA-F][0-9a-fA-F:.]*$|^::[0-9a-fA-F:.]*$")]
"""IPv4 or IPv6."""
Address = Annotated[str, Field(pattern=rf"^({_IPV4})?$")]
"""IPv4, or empty where there is none yet (a recipe's machine)."""
Interface = Annotated[str, Field(pattern=rf"^({_IPV4}/[0-9]{{1,2}})?$")]
"""IPv4 with prefix length, or empty."""
DirectoryServer = Annotated[str, Field(max_length=255, pattern=r"^ldaps?://[A-Za-z0-9][A-Za-z0-9.:-]*$")]
Mailbox = Annotated[str, Field(max_length=254, pattern=r"^([A-Za-z0-9._+-]+@[A-Za-z0-9][A-Za-z0-9.-]*)?$")]
Smarthost = Annotated[str, Field(max_length=260, pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5})?$")]
SmtpLogin = Annotated[str, Field(max_length=254, pattern=r"^([A-Za-z0-9][A-Za-z0-9._@+-]*)?$")]
HookUrl = Annotated[str, Field(max_length=2048, pattern=r"^(https?://[A-Za-z0-9][A-Za-z0-9._~:/?@+,=-]*)?$")]
Channel = Annotated[str, Field(max_length=80, pattern=r"^([#@]?[a-z0-9][a-z0-9._-]*)?$")]
"""Of Slack."""
ProxyUrl = Annotated[str, Field(max_length=255, pattern=r"^(http://[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5})?$")]
DirectHost = Annotated[str, Field(max_length=255, pattern=r"^[.]?[A-Za-z0-9][A-Za-z0-9.-]*(/[0-9]{1,2})?$")]
"""A host, a ``.domain`` or a network."""
DistinguishedName = Annotated[
    str, Field(max_length=512, pattern=r"^(\p{L}+=[\p{L}\p{N} =,._@/:+-]*[\p{L}\p{N}])?$")
]
DirectoryGroup = Annotated[str, Field(max_length=255, pattern=r"^[\p{L}\p{N}_][\p{L}\p{N}_. @-]*$")]
DirectoryGroupOrNone = Annotated[str, Field(max_length=255, pattern=r"^([\p{L}\p{N}_][\p{L}\p{N}_. @-]*)?$")]
DirectoryFilterOrNone = Annotated[str, Field(max_length=1000, pattern=r"^(\([ ->@-z|~]+\))?$")]
Certificates = Annotated[
    str,
    Field(
        max_length=262_144,
        pattern=r"^(-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n)+$",
    ),
]
"""PEM, one certificate after the other."""
PublicKey = Annotated[
    str, Field(max_length=16_384, pattern=rf"^({_KEY_TYPES}) [A-Za-z0-9+/]+={{0,3}}( {_LINE})?$")
]
"""OpenSSH: type, key, comment."""
Device = Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z0-9][A-Za-z0-9_.:-]*)?$")]
"""An RDMA device or an interface; empty: read from the node."""
Port = Annotated[str, Field(max_length=255, pattern=r"^([A-Za-z0-9][A-Za-z0-9_.:/ -]*)?$")]
"""A switch, or one of its ports, as its maker or owner calls it; empty: unknown."""
Id = Annotated[str, Field(max_length=512, pattern=r"^[A-Za-z0-9/]([A-Za-z0-9._:/+ -]*[A-Za-z0-9._:/+-])?$")]
"""What a provider or a maker calls one machine."""
Word = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
"""One word of a provider's command: a region, a zone, a project, an instance."""
CatalogKey = Annotated[str, Field(max_length=128, pattern=r"^([A-Za-z0-9][A-Za-z0-9._/-]*)?$")]
Component = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")]
Version = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .:+~_/@-]*$")]
Pin = Annotated[
    str, Field(max_length=128, pattern=r"^((@driver|[A-Za-z0-9]([A-Za-z0-9.:+~-]*[A-Za-z0-9+~])?)(-\*)?)?$")
]
"""A version of a package, or its beginning and ``*``; empty: any; ``@driver`` stands for that of the node's driver."""
Package = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .:+~_/@=-]*$")]
Range = Annotated[str, Field(max_length=128, pattern=r"^>=[0-9][0-9A-Za-z.]*(, <[0-9][0-9A-Za-z.]*)?$")]
"""Versions that are taken: from the first one on, up to before the second."""
PackagePattern = Annotated[str, Field(max_length=255, pattern=r"^[a-z0-9*][a-z0-9+.*-]*$")]
"""Name of a package, with ``*`` for any part of it."""
Module = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]*$")]
Unit = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9@._-]*$")]
"""Of systemd."""
FileName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FolderPattern = Annotated[str, Field(max_length=4096, pattern=r"^(/[A-Za-z0-9._/*-]*)?$")]
"""A folder, with ``*`` for any part of a name; or empty."""
BootParameter = Annotated[str, Field(max_length=255, pattern=BOOT_PARAMETER)]
Path = Annotated[str, Field(max_length=4096, pattern=r"^(/[A-Za-z0-9._/+-]*)?$")]
Source = Annotated[str, Field(max_length=4096, pattern=r"^([A-Za-z0-9/\[][A-Za-z0-9@:/.,_=+\[\]-]*)?$")]
"""What a client mounts."""
MountOptions = Annotated[str, Field(max_length=1024, pattern=r"^([A-Za-z0-9_][A-Za-z0-9_=,.:/@+-]*)?$")]
Url = Annotated[str, Field(max_length=2048, pattern=r"^(https?://|file:/)[A-Za-z0-9._~:/?#\[\]@+,=%-]*$")]
"""RFC 3986 without what a shell obeys."""
UrlOrNone = Annotated[
    str, Field(max_length=2048, pattern=r"^((https?://|file:/)[A-Za-z0-9._~:/?#\[\]@+,=%-]*)?$")
]
Redfish = Annotated[str, Field(max_length=255, pattern=r"^(https://[A-Za-z0-9._~:/\[\]%-]+)?$")]
RepositoryName = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]*$")]
Suite = Annotated[str, Field(max_length=255, pattern=r"^([A-Za-z0-9.][A-Za-z0-9 ._/+-]*)?$")]
SignedBy = Annotated[str, Field(max_length=65_536, pattern=rf"^(/[A-Za-z0-9._/+-]+|{_ARMOUR})$")]
"""The path of a keyring, or one armoured block."""
Fingerprint = Annotated[str, Field(pattern=r"^([0-9A-F]{40}( [0-9A-F]{40})*)?$")]
"""Of a key, or of the few that one file holds."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
EnvironmentName = Annotated[str, Field(max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")]
EnvironmentValue = Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z0-9_.,:/=^+@-]*$")]
