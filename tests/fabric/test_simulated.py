"""Planned fabrics in ibsim: OpenSM routes them as fat trees, what the tools see is the plan, live faults are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Verdict
from railbed.fabric import FabricRequest, Names, observed, plan
from railbed.fabric.cables import cables
from railbed.fabric.ends import Planned, Seen, compare
from railbed.fabric.observed import Port
from railbed.parse import ibnetdiscover

from .conftest import Simulation, railbed

Start = Callable[..., Simulation]
SPEC = Path(__file__).parents[2] / "examples/lab-cluster.yaml"
TWO_TIERS = ("--nodes", "16")
THREE_TIERS = ("--nodes", "32", "--rails", "4", "--radix", "8")
PARTIAL_POD = ("--nodes", "22", "--rails", "4", "--radix", "8")
OVERSUBSCRIBED = (
    "--nodes",
    "10",
    "--rails",
    "4",
    "--radix",
    "12",
    "--oversubscription",
    "2",
    "--extra-endpoints",
    "3",
)
ALL = [TWO_TIERS, THREE_TIERS, PARTIAL_POD, OVERSUBSCRIBED]


def verify(words: tuple[str, ...], file: Path, status: int) -> Any:
    return railbed("verify", *words, "--observed", str(file), "--json", status=status)


@pytest.mark.parametrize("words", ALL, ids=["two tiers", "three tiers", "partial pod", "oversubscribed"])
def test_a_plan_is_a_fat_tree_and_is_seen_as_planned(simulate: Start, words: tuple[str, ...]) -> None:
    simulation = simulate(*words)
    log = simulation.route("-R", "ftree")
    assert "ftree tables configured on all switches" in log
    assert "SUBNET UP" in log
    total = sum(railbed("plan", *words, "--json")["cables"].values())
    for tool in (("ibnetdiscover",), ("ibnetdiscover", "-p"), ("iblinkinfo",)):
        seen = verify(words, simulation.observe(*tool), 0)
        assert (seen["verdict"], seen["found"], seen["rated"]) == ("pass", total, total)


def test_a_link_unplugged_live_is_found_and_gone_when_back(simulate: Start) -> None:
    simulation = simulate(*TWO_TIERS)
    simulation.route()
    ends = {"leaf0 port 33", "spine0 port 1"}
    simulation.console('Unlink "S-leaf0"[33]')
    for tool, kind in (
        (("ibnetdiscover",), "missing"),
        (("ibnetdiscover", "-p"), "down"),
        (("iblinkinfo",), "down"),
    ):
        (difference,) = verify(TWO_TIERS, simulation.observe(*tool), 1)["differences"]
        assert (difference["kind"], set(difference["ends"])) == (kind, ends)
    simulation.console('Relink "S-leaf0"[33]')
    assert verify(TWO_TIERS, simulation.observe("ibnetdiscover"), 0)["verdict"] == "pass"


def test_a_nodes_cable_unplugged_live_is_found(simulate: Start) -> None:
    simulation = simulate(*THREE_TIERS)
    simulation.console('Unlink "S-leaf6"[2]')
    (difference,) = verify(THREE_TIERS, simulation.observe("ibnetdiscover"), 1)["differences"]
    assert (difference["kind"], set(difference["ends"])) == ("missing", {"node-5 mlx5_2", "leaf6 port 2"})


def test_wrong_and_slow_cables_are_found(simulate: Start) -> None:
    """Two cables of different leaves change places on the spines; one link runs at an eighth, one with one lane."""
    net = railbed("export", *TWO_TIERS, "--format", "ibsim")
    net = between(net, "leaf2", 33, "spine0", 3, "leaf3", 34, "spine1", 4)
    net = at_speed(net, "leaf0", 1, "node-0-mlx5_0", "4xEDR")
    net = at_speed(net, "leaf7", 64, "spine3", "1xHDR")
    simulation = simulate(net=net)
    seen = verify(TWO_TIERS, simulation.observe("ibnetdiscover"), 1)["differences"]
    told = {(d["kind"], frozenset(d["ends"]), frozenset(d["expected"])) for d in seen}
    assert told == {
        (
            "swapped",
            frozenset({"leaf2 port 33", "spine1 port 4"}),
            frozenset({"spine0 port 3", "leaf3 port 34"}),
        ),
        (
            "swapped",
            frozenset({"leaf3 port 34", "spine0 port 3"}),
            frozenset({"spine1 port 4", "leaf2 port 33"}),
        ),
        ("slow", frozenset({"node-0 mlx5_0", "leaf0 port 1"}), frozenset({"200 Gb/s"})),
        ("slow", frozenset({"leaf7 port 64", "spine3 port 64"}), frozenset({"200 Gb/s"})),
    }
    assert [d["detail"] for d in seen if "leaf7 port 64" in d["ends"]] == ["narrow: 1 of 4 lanes, 50 Gb/s"]


def test_swapped_cables_of_a_node_are_named_for_the_claim(simulate: Start) -> None:
    """What `fabric.cabling` makes of the subnet, before and after two rails of a node change places."""
    fabric, names = plan(FabricRequest(nodes=16, rails=8, radix=64)), Names()
    wanted = [
        Planned(one.rail or 0, Port(one.source, str(one.source_port)), Port(one.target, str(one.target_port)))
        for one in cables(fabric, names)
        if one.tier == "node_leaf"
    ]
    devices = {port.device for one in wanted for port in (one.card, one.leaf)}

    def seen() -> Seen:
        text = simulation.run("ibnetdiscover")
        return compare(wanted, observed.of(ibnetdiscover.plain(text), devices).links)

    simulation = simulate(*TWO_TIERS)
    assert (seen().verdict, seen().right) == (Verdict.PASS, 128)
    for command in (
        'Unlink "S-leaf0"[6]', 'Unlink "S-leaf1"[6]', 'Link "S-leaf0"[6] "H-node-5-mlx5_1"[1]',
        'Link "S-leaf1"[6] "H-node-5-mlx5_0"[1]',
    ):  # fmt: skip
        simulation.console(command)
    swapped = seen()
    assert (swapped.verdict, swapped.guilty) == (Verdict.FAIL, (("node-5", "rail 0"), ("node-5", "rail 1")))
    assert "node-5 rail 0 ends in leaf1 port 6 (of node-5 rail 1)" in swapped.reason


def test_two_fabrics_at_once_never_meet(simulate: Start) -> None:
    one, other = simulate(*TWO_TIERS), simulate(*OVERSUBSCRIBED)
    assert verify(TWO_TIERS, one.observe("ibnetdiscover"), 0)["verdict"] == "pass"
    assert verify(OVERSUBSCRIBED, other.observe("ibnetdiscover"), 0)["verdict"] == "pass"
    assert verify(TWO_TIERS, other.observe("ibnetdiscover"), 3)["verdict"] == "unproven"


def test_the_fabric_of_a_spec(simulate: Start) -> None:
    words = ("--spec", str(SPEC))
    simulation = simulate(*words, host="H-h100-0-rail0")
    assert verify(words, simulation.observe("ibnetdiscover"), 0)["verdict"] == "pass"
    simulation.console('Unlink "S-leaf3"[5]')
    (difference,) = verify(words, simulation.observe("ibnetdiscover"), 1)["differences"]
    assert set(difference["ends"]) == {"h100-4 rail3", "leaf3 port 5"}


def between(net: str, one: str, a: int, spine: str, x: int, two: str, b: int, other: str, y: int) -> str:
    """The net file with the cables one[a]–spine[x] and two[b]–other[y] plugged in crosswise at their upper ends."""
    lines, device = [], ""
    crossed = {
        (f"S-{one}", a): f'"S-{other}"[{y}]', (f"S-{two}", b): f'"S-{spine}"[{x}]',
        (f"S-{spine}", x): f'"S-{two}"[{b}]', (f"S-{other}", y): f'"S-{one}"[{a}]',
    }  # fmt: skip
    for line in net.splitlines():
        if line.startswith(("Switch", "Ca")):
            device = line.split('"')[1]
        port = int(line[1 : line.index("]")]) if line.startswith("[") else 0
        peer = crossed.get((device, port))
        lines.append(f"[{port}]\t{peer}\t\t# 4xHDR" if peer else line)
    return "\n".join(lines) + "\n"


def at_speed(net: str, switch: str, port: int, peer: str, speed: str) -> str:
    """The net file with one cable at another speed, told at both ends."""
    lines, device = [], ""
    for line in net.splitlines():
        if line.startswith(("Switch", "Ca")):
            device = line.split('"')[1]
        here = device == f"S-{switch}" and line.startswith(f"[{port}]\t")
        there = device.split("-", 1)[-1] == peer and f'"S-{switch}"[{port}]' in line
        lines.append(line.replace("4xHDR", speed) if here or there else line)
    return "\n".join(lines) + "\n"
