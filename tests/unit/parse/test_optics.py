"""Optical modules as mlxlink and ethtool show them: readings, and which lie beyond the module's own limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.parse import ethtool_module, ethtool_statistics, mlxlink, optics

DATA = Path(__file__).parent.parent / "data" / "parse"


def port(name: str) -> dict[str, Any]:
    return mlxlink.plain((DATA / "mlxlink" / name).read_text())


def module(name: str) -> dict[str, Any]:
    return ethtool_module.plain((DATA / "ethtool_module" / name).read_text())


def beyond(found: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(one["reading"], one["lane"], one["level"]) for one in found["outside"]]


def test_a_port_with_its_module_and_bit_errors() -> None:
    found = port("good.json")
    assert (found["state"], found["speed"], found["part_number"]) == ("Active", "IB-NDR", "MMA4Z00-NS400")
    assert (found["raw_ber"], found["effective_ber"], found["effective_errors"]) == (3e-9, 15e-255, 0)
    rx = found["rx_power_dbm"]
    assert (rx["values"], rx["low_alarm"], rx["high_alarm"]) == ([1.05, 0.98, 1.12, 1.01], -8.0, 6.0)
    assert rx["low_warning"] is None and found["outside"] == found["errors"] == found["unread"] == []


def test_what_lies_beyond_the_module_s_own_limits() -> None:
    found = port("dim-and-hot.json")
    assert beyond(found) == [("temperature_c", 1, "high alarm"), ("rx_power_dbm", 2, "low alarm")]
    assert found["outside"][1] == {
        "reading": "rx_power_dbm", "lane": 2, "value": -9.41, "level": "low alarm", "limit": -8.0,
    }  # fmt: skip
    assert (found["raw_ber"], found["effective_errors"], found["link_downs"]) == (2e-4, 41, 3)


def test_the_printed_form_says_the_same() -> None:
    found = port("printed.txt")
    assert (found["fec"], found["raw_ber"], found["counted_minutes"]) == (
        "Standard RS-FEC - RS(528,514)",
        15e-255,
        25074.8,
    )
    assert found["temperature_c"]["values"] == [41.0] and found["rx_power_dbm"]["low_alarm"] == -13.0


def test_an_empty_cage_and_firmware_that_does_not_answer() -> None:
    empty = port("no-module.json")
    assert empty["identifier"] is None and empty["rx_power_dbm"]["values"] == [] and empty["outside"] == []
    assert port("no-access.txt")["errors"] == [
        "Checking valid firmware raised the following exception: Failed to send access register: ICMD error 0x4"
    ]


def test_four_lanes_with_alarms_and_warnings() -> None:
    found = module("qsfp.txt")
    assert (found["vendor"], found["part_number"]) == ("FS", "QSFP28-SR4-100G")
    assert found["voltage_mv"]["values"] == [pytest.approx(3291.8)] and found["bias_ma"]["values"] == [
        7.5,
        7.4,
    ]
    assert found["rx_power_dbm"] == {
        "values": [-2.1, -2.0], "low_alarm": -13.4, "high_alarm": 5.0, "low_warning": -10.4, "high_warning": 3.4,
    }  # fmt: skip
    assert found["outside"] == []
    assert beyond(module("dark.txt")) == [
        ("temperature_c", 1, "high warning"),
        ("rx_power_dbm", 1, "low alarm"),
    ]


def test_one_lane_has_other_words() -> None:
    found = module("sfp.txt")
    assert found["tx_power_dbm"]["values"] == [-2.22] and beyond(found) == [("rx_power_dbm", 1, "low alarm")]


def test_a_module_that_cannot_be_read() -> None:
    found = module("refused.txt")
    assert found["errors"] == ["Invalid argument"] and found["temperature_c"]["values"] == []


def test_a_copper_cable_is_named_and_has_no_limits() -> None:
    found = port("copper.txt")
    assert (found["cable"], found["technology"]) == (
        "Passive copper cable",
        "Copper cable, passive, unequalized",
    )
    assert (found["symbol_errors"], found["effective_errors"], found["outside"]) == (2, 7, [])
    assert module("copper.txt")["technology"] == "0xa0 (Copper cable unequalized)"


def test_counters_of_a_driver_by_their_names() -> None:
    found = ethtool_statistics.plain((DATA / "ethtool_statistics" / "errors.txt").read_text())
    assert (found["counters"]["rx_pcs_symbol_err_phy"], found["counters"]["link_down_events_phy"]) == (41, 4)
    refused = ethtool_statistics.plain((DATA / "ethtool_statistics" / "refused.txt").read_text())
    assert refused == {"counters": {}, "errors": ["no stats available"], "unread": []}


def test_limits_of_nothing_are_none() -> None:
    """Copper cables name limits of 0 to 0."""
    assert (
        optics.outside({"rx_power_dbm": optics.reading([-3.0], {"low_alarm": 0.0, "high_alarm": 0.0})}) == []
    )


@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    for found in (
        mlxlink.plain(text),
        ethtool_module.plain(text),
        mlxlink.plain(f"Temperature [C] : {text}"),
    ):
        assert set(optics.READINGS) <= set(found)
