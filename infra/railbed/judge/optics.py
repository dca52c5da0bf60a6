"""What two readings of a rail's ports prove of its cables and optical modules. Pure.

Limits are not ours: a module names its own alarm limits (SFF-8472, SFF-8636, CMIS), and the receiver's bit error ratio before the
error correction is bounded by what that correction was made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from railbed.claims import Verdict
from railbed.defaults import PRE_FEC_BER
from railbed.parse import ethtool_module, ethtool_statistics, mlxlink
from railbed.parse.json_text import whole
from railbed.text import few

MOST_SHOWN = 6
KP4 = "(544,514)"
"""How mlxlink names the code that PRE_FEC_BER is the limit of; InfiniBand's low-latency code (272,257+1) has none published."""
NAMES = {
    "temperature_c": ("temperature", "°C"), "voltage_mv": ("voltage", "mV"), "bias_ma": ("bias current", "mA"),
    "rx_power_dbm": ("receive power", "dBm"), "tx_power_dbm": ("transmit power", "dBm"),
}  # fmt: skip
LIGHT = "rx_power_dbm"
SENDS_AGAIN = "PLR"
"""How mlxlink names a link that sends again what the error correction left (physical layer retransmission). What is lost there
all the same are symbol errors of the port, which ``fabric.port_errors`` holds."""
UNCORRECTED = "rx_pcs_symbol_err_phy"
"""Of mlx5: symbols that the error correction did not mend (Linux, Documentation/networking/device_drivers/ethernet/mellanox/mlx5/
counters.rst)."""


@dataclass(frozen=True)
class Port:
    """What was read of one card's port."""

    problem: str = ""
    """Why it could not be read; then nothing else is known."""
    copper: bool = False
    """A cable without light."""
    readings: Mapping[str, Any] = field(default_factory=dict)
    """As ``parse.optics.READINGS``."""
    outside: tuple[Mapping[str, Any], ...] = ()
    """Lanes beyond a limit of the module, as ``parse.optics.outside``."""
    fec: str = ""
    raw_ber: float | None = None
    """Bit error ratio before the error correction; None where nobody tells."""
    uncorrected: int | None = None
    """Errors that the error correction left; None where nobody tells."""

    @property
    def sends_again(self) -> bool:
        """Whether what the error correction leaves is no loss yet."""
        return SENDS_AGAIN in self.fec


def of_link(text: str) -> Port:
    """The port as mlxlink or mstlink tells it."""
    found = mlxlink.plain(text)
    if found["errors"]:
        return Port(problem=found["errors"][0])
    errors = whole(found["effective_errors"])
    if found["state"] is None and errors is None:
        return Port(problem="its answer holds no port")
    return Port(
        copper=_copper(found["cable"], found["technology"]), readings=found, outside=tuple(found["outside"]),
        fec=found["fec"] or "", raw_ber=found["raw_ber"], uncorrected=errors,
    )  # fmt: skip


def of_interface(module: str, statistics: str) -> Port:
    """The port as `ethtool -m` and `ethtool -S` tell it."""
    found, counted = ethtool_module.plain(module), ethtool_statistics.plain(statistics)
    counters = counted["counters"]
    if errors := [*found["errors"], *counted["errors"]]:
        return Port(problem=errors[0])
    if found["identifier"] is None and not counters:
        return Port(problem="its answer holds no port")
    return Port(
        copper=_copper(found["technology"], found["connector"], found["type"]), readings=found,
        outside=tuple(found["outside"]), uncorrected=counters.get(UNCORRECTED),
    )  # fmt: skip


def _copper(*words: str | None) -> bool:
    return any("copper" in one.lower() for one in words if one)


@dataclass(frozen=True)
class Card:
    """One card of a rail, read before and after the load."""

    rail: int
    device: str
    before: Port | None
    after: Port


def judge(cards: list[Card]) -> tuple[Verdict, str, list[str]]:
    """Verdict, reason and the rails that are broken.

    Fail: a reading beyond an alarm limit of its module, more bit errors than the error correction was made for, or errors that it
    left between the readings. Unproven: a port that could not be read, or of which something of this is not known. What lies
    beyond a warning limit only is mentioned.
    """
    broken: dict[str, list[str]] = {}
    doubts, notes = [], []
    for card in cards:
        part, name = f"rail {card.rail}", f"rail {card.rail} ({card.device})"
        wrong = [*_beyond(card.after, "alarm"), *_errors(card)]
        if wrong:
            broken.setdefault(part, []).append(f"{name}: {few(wrong, MOST_SHOWN)}")
        doubts += [f"{name}: {reason}" for reason in _unknown(card)]
        notes += [f"{name}: {reason}" for reason in _beyond(card.after, "warning")]
    if broken:
        return (
            Verdict.FAIL,
            few([reason for some in broken.values() for reason in some], MOST_SHOWN, "; "),
            list(broken),
        )
    if doubts:
        return Verdict.UNPROVEN, few(doubts, MOST_SHOWN, "; "), []
    copper = sum(card.after.copper for card in cards)
    kinds = [f"{len(cards) - copper} optical modules within their limits"] if len(cards) > copper else []
    kinds += [f"{copper} copper cables, which have no optics"] if copper else []
    beside = f"; {few(notes, MOST_SHOWN, '; ')}" if notes else ""
    return (
        Verdict.PASS,
        f"{' and '.join(kinds)}; the error correction left no error under load{beside}",
        [],
    )


def _beyond(port: Port, level: str) -> list[str]:
    found = []
    for one in port.outside:
        side, _, which = str(one["level"]).partition(" ")
        if which == level:
            name, unit = NAMES[str(one["reading"])]
            than = "below" if side == "low" else "above"
            where = f" of lane {one['lane']}" if one["reading"] not in ("temperature_c", "voltage_mv") else ""
            found.append(
                f"{name}{where} is {one['value']:g} {unit}, {than} its module's {level} limit of {one['limit']:g}"
            )
    return found


def _errors(card: Card) -> list[str]:
    after, before = card.after, card.before
    found = []
    if after.raw_ber is not None and KP4 in after.fec and after.raw_ber > PRE_FEC_BER:
        found.append(
            f"a bit error ratio of {after.raw_ber:.2g} before the error correction, which is made for {PRE_FEC_BER:g}"
        )
    if before is not None and not after.sends_again:
        left = _more(before.uncorrected, after.uncorrected)
        found += [f"{left} errors were left uncorrected under load"] if left else []
    return found


def _more(before: int | None, after: int | None) -> int:
    """How much a counter rose; one that somebody cleared meanwhile counts from zero."""
    if before is None or after is None:
        return 0
    return after - before if after >= before else after


def _unknown(card: Card) -> list[str]:
    """What keeps a port from being proven well."""
    after, before = card.after, card.before
    if after.problem:
        return [after.problem]
    found = []
    if not after.sends_again:
        if before is None or before.problem:
            why = before.problem if before else "nobody read it"
            found.append(f"what happened under load is not known: {why}")
        if after.uncorrected is None:
            found.append("nobody knows what the error correction left")
    light = after.readings.get(LIGHT) or {}
    values, low, high = light.get("values") or [], light.get("low_alarm"), light.get("high_alarm")
    if not after.copper and (not values or None in values):
        found.append("its module tells no receive power")
    elif not after.copper and (low is None or high is None or low >= high):
        found.append("its module names no limits of its receive power")
    return found
