"""Conversions between the units that names carry: ``_gbps`` is 10⁹ bit/s, ``_gbytes_per_s`` is 10⁹ byte/s."""

from __future__ import annotations

BITS_PER_BYTE = 8
BITS_PER_GBIT = 1e9
BYTES_PER_GBYTE = 1e9
KIB = 1024
MIB = 1024**2
GIB = 1024**3
TIB = 1024**4


def gbytes_per_s(rate_gbps: float) -> float:
    """GB/s of a rate in Gb/s."""
    return rate_gbps / BITS_PER_BYTE


def gbytes_of_tib(tib: float) -> float:
    """GB (10⁹ bytes) of a size in TiB (2⁴⁰ bytes)."""
    return tib * TIB / BYTES_PER_GBYTE
