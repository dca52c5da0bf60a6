"""Switches of the catalogue: their modes agree with each other, and a price counts where a user's file has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed import catalog
from railbed.catalog import Switch
from railbed.fabric import FabricRequest, bill, plan

KEYS = catalog.keys("switches")


@pytest.mark.parametrize("key", KEYS)
def test_modes_share_one_set_of_cages_and_one_capacity(key: str) -> None:
    modes = catalog.load_switch(key).modes
    assert len({mode.ports / mode.ports_per_transceiver for mode in modes}) == 1
    assert len({mode.ports * mode.port_gbps for mode in modes}) == 1
    assert [mode.ports for mode in modes] == sorted(mode.ports for mode in modes)


@pytest.mark.parametrize("key", KEYS)
def test_no_price_is_guessed(key: str) -> None:
    switch = catalog.load_switch(key)
    assert switch.price_usd is None
    assert "price_usd" in switch.unpublished


def test_the_switches_of_the_published_designs_are_there() -> None:
    sizes = {(s.modes[0].ports, s.modes[0].port_gbps) for s in map(catalog.load_switch, KEYS)}
    assert {(64, 400.0), (144, 800.0), (40, 200.0), (64, 800.0)} <= sizes
    assert {catalog.load_switch(key).kind for key in KEYS} == {"infiniband", "ethernet"}


def test_a_mode_is_found_by_its_ports() -> None:
    switch = catalog.load_switch("nvidia/sn5600")
    ports = [
        (radix, mode.ports if (mode := switch.mode(radix)) else None) for radix in (None, 64, 65, 256, 257)
    ]
    assert ports == [(None, 64), (64, 64), (65, 128), (256, 256), (257, None)]


def test_a_price_of_a_users_own_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "switches/mine/leaf.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "title: my leaf\n"
        "sources: {offer: {source: quotation of a reseller, checked: 2026-11-24}}\n"
        "facts:\n"
        "  kind: {value: ethernet, source: offer}\n"
        "  modes: {value: [{ports: 64, port_gbps: 400, ports_per_transceiver: 1}], source: offer}\n"
        "  price_usd: {value: 1000.5, source: offer}\n"
    )
    monkeypatch.setenv("RAILBED_CATALOG", str(tmp_path))
    switch = catalog.load_switch("mine/leaf")
    assert isinstance(switch, Switch)
    priced = bill(plan(FabricRequest(nodes=127)), switch_price_usd=switch.price_usd)
    assert priced["price_usd"] == {"switches": 48024.0, "cables": None, "transceivers": None, "total": None}
    assert not any("switches: nobody" in reason for reason in priced["unknown"])
