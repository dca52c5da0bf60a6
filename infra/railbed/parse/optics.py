"""What the tools that read optical modules have in common: readings with the limits that the module itself names. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

READINGS = ("temperature_c", "voltage_mv", "bias_ma", "rx_power_dbm", "tx_power_dbm")
LEVELS = ("alarm", "warning")


def reading(values: Sequence[float | None], limits: Mapping[str, float | None]) -> dict[str, Any]:
    """``values`` of each lane, of a module as a whole one; ``limits``: ``low_alarm``, ``high_alarm``, ``low_warning``,
    ``high_warning``, None where the module or the tool names none."""
    names = [f"{side}_{level}" for level in LEVELS for side in ("low", "high")]
    return {"values": list(values), **{name: limits.get(name) for name in names}}


def outside(readings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each lane beyond a limit of its module: the reading, the lane from 1, its value, the worst level, the limit."""
    found = []
    for name in READINGS:
        one = readings.get(name) or {}
        for lane, value in enumerate(one.get("values", ()), 1):
            worst = None if value is None else _worst(one, value)
            if worst:
                found.append(
                    {"reading": name, "lane": lane, "value": value, "level": worst[0], "limit": worst[1]}
                )
    return found


def _worst(one: Mapping[str, Any], value: float) -> tuple[str, float] | None:
    for level in LEVELS:
        low, high = one.get(f"low_{level}"), one.get(f"high_{level}")
        if low is not None and high is not None and low >= high:
            continue  # a module without limits has both at 0
        if low is not None and value < low:
            return f"low {level}", low
        if high is not None and value > high:
            return f"high {level}", high
    return None
