"""InfiniBand's names of link speeds: data rate of four lanes, Gb/s (InfiniBand Architecture Specification, vol. 1)."""

from __future__ import annotations

from railbed.errors import UsageError

FOUR_LANES_GBPS = {
    "SDR": 10.0, "DDR": 20.0, "QDR": 40.0, "FDR": 56.0,
    "EDR": 100.0, "HDR": 200.0, "NDR": 400.0, "XDR": 800.0,
}  # fmt: skip
SIMULATED = ("SDR", "DDR", "QDR", "FDR", "EDR", "HDR")
"""Those that ibsim 0.10 knows; it refuses a net file with any other."""


def name_of(rate_gbps: float) -> str:
    """The name of a four-lane link of this rate. Raises UsageError for a rate that InfiniBand does not have."""
    for name, known in FOUR_LANES_GBPS.items():
        if known == rate_gbps:
            return name
    raise UsageError(
        "InfiniBand has no four-lane link of this rate",
        code="FABRIC_SPEED",
        path="--link-gbps",
        found=rate_gbps,
        allowed=", ".join(f"{rate:g} ({name})" for name, rate in FOUR_LANES_GBPS.items()),
    )


def simulated(rate_gbps: float) -> str:
    """The name that stands for this rate in ibsim: its own, or the fastest that ibsim has."""
    return next((n for n in SIMULATED if FOUR_LANES_GBPS[n] == rate_gbps), SIMULATED[-1])
