"""Addresses that follow one another: one of them, a network, or the first and the last. Pure."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator


def span(text: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    """The first address and the last. Raises ValueError for other words, and where the last comes before the first."""
    if "-" in text:
        first, last = (ipaddress.IPv4Address(one.strip()) for one in text.split("-", 1))
        if last < first:
            raise ValueError(f"{last} comes before {first}")
        return first, last
    network = ipaddress.IPv4Network(text)
    return network[0], network[-1]


def _checked(text: str) -> str:
    try:
        span(text)
    except ValueError as wrong:
        raise ValueError(
            f"is no IPv4 address, network or range, like 10.82.250.1, 10.82.250.0/24 or 10.82.250.1-10.82.250.9 ({wrong})"
        ) from None
    return text


AddressSpan = Annotated[str, AfterValidator(_checked)]
