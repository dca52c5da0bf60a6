"""What railbed gives a subnet manager, taken by the real OpenSM over a simulated fabric: engine, roots, partitions.

NVIDIA's subnet manager is in no distribution and was not run: its keys that OpenSM does not know are not tried here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Simulation, railbed

Start = Callable[..., Simulation]
TWO_TIERS = ("--nodes", "6", "--rails", "4", "--radix", "8")
THREE_TIERS = ("--nodes", "22", "--rails", "4", "--radix", "8")
DEFAULT_LIMITED, DEFAULT_FULL = 0x7FFF, 0xFFFF


def given(simulation: Simulation, words: tuple[str, ...], folder: Path, *more: str) -> Path:
    """The rendered files, where OpenSM's own paths point into the folder."""
    simulation.route()
    seen = simulation.observe("ibnetdiscover")
    ask = ("switches", *words, "--os", "opensm", "--subnet-manager", "opensm", "--observed", str(seen))
    assert railbed(*ask, *more, "--output", str(folder), "--json")["findings"] == []
    config = folder / "subnet/opensm.conf"
    config.write_text(config.read_text().replace("/etc/opensm", str(folder / "subnet")))
    return config


@pytest.mark.parametrize("words", [TWO_TIERS, THREE_TIERS], ids=["two tiers", "three tiers"])
def test_opensm_takes_engine_and_roots(simulate: Start, tmp_path: Path, words: tuple[str, ...]) -> None:
    simulation = simulate(*words)
    log = simulation.route("-F", str(given(simulation, words, tmp_path / "out")))
    assert "ftree tables configured on all switches" in log and "SUBNET UP" in log
    assert not re.search(r"ERR \w+: .*(guid|partition|parse|pkey)", log, re.I), log
    # The first engine of the list did it: nothing fell back, and the roots that it ranked from are the plan's.
    assert "updn" not in log


def test_ports_have_the_keys_of_their_partitions_and_no_others(simulate: Start, tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text(
        'partitions:\n  - {name: blue, pkey: "0x12", full: ["node-[0-2]"]}\n'
        '  - {name: green, pkey: "0x13", full: ["node-3"], limited: ["node-4"]}\n'
    )
    simulation = simulate(*TWO_TIERS, host="H-node-5-mlx5_0")
    config = given(simulation, TWO_TIERS, tmp_path / "out", "--partitions", str(tenants))
    simulation.route("-F", str(config))
    lids = dict(re.findall(r'"([^"]+)" lid (\d+)', simulation.observe("ibnetdiscover").read_text()))
    told = re.findall(
        r"\[1\]\([0-9a-f]+\).*?# lid (\d+) lmc \d+", simulation.observe("ibnetdiscover").read_text()
    )
    assert told, "no NIC with an address"
    for node, keys in {
        "node-0": {0x8012},
        "node-2": {0x8012},
        "node-3": {0x8013},
        "node-4": {0x0013},
    }.items():
        found = pkeys(simulation, lids[f"{node} mlx5_1"])
        assert found == {DEFAULT_LIMITED, *keys}, (node, found)
    assert pkeys(simulation, lids["node-5 mlx5_1"]) == {0x7FFF}, (
        "a node without a partition is a limited member only"
    )
    assert DEFAULT_FULL in pkeys(simulation, lids["node-5 mlx5_0"]), (
        "the subnet manager's port is a full member"
    )


def pkeys(simulation: Simulation, lid: str) -> set[int]:
    """The keys in a port's table."""
    text = simulation.run("smpquery", "pkeys", lid)
    return {int(key, 16) for key in re.findall(r"0x([0-9a-f]{4})", text)} - {0}
