"""The scalar types of the spec: names, counts, rates and addresses, each with its limits."""

from __future__ import annotations

import datetime
import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from railbed.defaults import NAME_MAX, NAME_PATTERN

MAX_NODES = 65_536
"""Endpoints of one rail plane in the largest three-tier fabric of 64-port switches (64³/4)."""

NO_TENANTS = (0, 0x7FFF)
"""Keys of InfiniBand partitions that no spec names: none, and the default partition's."""

_KEY_TYPES = "ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\\.com"
_KEY = re.compile(rf"(?:{_KEY_TYPES}) [A-Za-z0-9+/]{{60,}}={{0,3}}( .*)?")
_SYSTEM_FOLDERS = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
)


def _of_a_tenant(key: str) -> str:
    if int(key, 16) in NO_TENANTS:
        raise ValueError(
            "0x0 is no key, and 0x7fff is the default partition's, of which nodes are limited members"
        )
    return key


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as wrong:
        raise ValueError(f"is not a network in CIDR form, like 10.90.0.0/24 ({wrong})") from None
    return text


def _network_v4(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as wrong:
        raise ValueError(f"is not an IPv4 network in CIDR form, like 10.90.0.0/24 ({wrong})") from None
    return text


def _address_v4(text: str) -> str:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError("is not an IPv4 address, like 10.80.0.11") from None
    return text


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(
            "is not an address, like 10.80.0.53 (names of name servers cannot be looked up)"
        ) from None
    return text


def _mount(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text) or any(part in (".", "..") for part in text.split("/")):
        raise ValueError("is not an absolute path of plain names, like /scratch")
    if any(text == folder or text.startswith(folder + "/") for folder in _SYSTEM_FOLDERS):
        raise ValueError("would hide a folder of the operating system; choose one like /scratch")
    return text


def _public_key(text: str) -> str:
    if not _KEY.fullmatch(text) or not text.isprintable():
        raise ValueError("is not an OpenSSH public key, like `ssh-ed25519 AAAA… comment`")
    return text


def _day(value: Any) -> Any:
    """YAML reads a bare date as one; through the engine's configuration it comes as text."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            return value
    return value


Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN)]
"""RFC 1123 label: lower-case letters, digits and hyphens, at most 63."""
Key = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
"""A catalogue key."""
Login = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
PublicKey = Annotated[str, AfterValidator(_public_key)]
MountPoint = Annotated[str, Field(max_length=200), AfterValidator(_mount)]
Server = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")]
"""A DNS name or an address."""
Network = Annotated[str, AfterValidator(_network)]
NetworkV4 = Annotated[str, AfterValidator(_network_v4)]
Address = Annotated[str, AfterValidator(_address)]
DnsDomain = Annotated[
    str, Field(max_length=253, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
]
"""A DNS domain in lower case."""
AddressV4 = Annotated[str, AfterValidator(_address_v4)]
NodeCount = Annotated[int, Field(ge=1, le=MAX_NODES)]
SpareCount = Annotated[int, Field(ge=0, le=MAX_NODES)]
RailCount = Annotated[int, Field(ge=1, le=64)]
RateGbps = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
CapacityTib = Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)]
Day = Annotated[datetime.date, BeforeValidator(_day)]
TagKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
"""What every provider takes as a tag's or label's key."""
Tag = Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]
PartitionKey = Annotated[str, Field(pattern=r"^0x[0-7]?[0-9a-f]{1,3}$"), AfterValidator(_of_a_tenant)]
"""Of an InfiniBand partition, without the bit of full members, e.g. ``0x12``."""
