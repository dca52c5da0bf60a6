"""The cables of replayed nodes: what lldpcli on a node hears from its leaf switches, and what ibnetdiscover shows of a subnet.

`lldpcli` has the form of ``tests/unit/validate/data/cabling``, recorded from lldpd 1.0.16, with ports as Cumulus Linux has them;
`ibnetdiscover` that of its manual page (linux-rdma/rdma-core, infiniband-diags) with one spine above all leaves; both built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from tests.support.replay import ethernet
from tests.support.replay.node import Machine

from railbed.contract import Contract

End = tuple[str, int]
"""Node and rail, or switch and port."""
NO_CARD = (
    "ibwarn: [4000] mad_rpc_open_port: can't open UMAD port ({0}:1)\n"
    "ibnetdisc.c:811; can't open MAD port ({0}:1)\nibnetdiscover: iberror: failed: discover failed\n"
)
RADIX, SPINE = 64, "spine0"
DESCRIBED = "MF0;{}:MQM9700/U1"
"""How a managed switch of NVIDIA's describes itself."""
HEAD = ["#", "# Topology file: generated on Mon Nov 30 08:00:00 2026", "#"]
SWITCH, CARD, ENGINE = 0xFC6A1C0300000000, 0xA288C20300000000, 0xFC6A1C0310000000
AGGREGATION = "Mellanox Technologies Aggregation Node"
"""The reduction engine of a switch, on a port of its own behind the others."""


class Cables:
    """As planned, less what a table changes: ``swapped`` pairs of ``node rail``, ``leaves`` with another name, ``no_lldp``."""

    def __init__(
        self, contract: Contract, machines: dict[str, Machine], silent: Collection[str], table: dict[str, Any]
    ) -> None:
        self.machines, self.silent = machines, silent
        self.deaf: list[str] = table.get("no_lldp", [])
        self.ends: dict[End, End] = {
            (node.name, rail.index): (nic.switch, int(nic.port))
            for node in contract.nodes
            for rail in node.rails
            for nic in rail.nics
            if nic.switch
        }
        for one, other in table.get("swapped", []):
            left, right = _end(one), _end(other)
            self.ends[left], self.ends[right] = self.ends[right], self.ends[left]
        named: dict[str, str] = table.get("leaves", {})
        self.ends = {card: (named.get(leaf, leaf), port) for card, (leaf, port) in self.ends.items()}

    def answer(self, name: str, line: str) -> tuple[int, str, str]:
        """What the program in the command line says on a node."""
        asked = re.search(r"ibnetdiscover -C (\S+) -P 1", line)
        if asked:
            return self._subnet(name, asked[1])
        assert "lldpcli -f json show neighbors" in line, line
        if name in self.deaf:
            return (
                1,
                "",
                "[WARN/lldpctl] unable to connect to socket /var/run/lldpd.socket: No such file or directory\n",
            )
        return 0, json.dumps({"lldp": {"interface": self._heard(name)}}), ""

    def _up(self, node: str, device: str) -> bool:
        card = self.machines[node].facts["cards"][device]
        return bool(node not in self.silent and card["there"] and card["phys_state"].startswith("5:"))

    def _heard(self, name: str) -> list[dict[str, Any]]:
        found = []
        for device, (netdev, rail) in ethernet.interfaces(self.machines[name]).items():
            leaf, port = self.ends[name, rail]
            if self._up(name, device):
                identifier = {"type": "mac", "value": "9c:05:91:00:00:01"}
                said = {"id": {"type": "ifname", "value": f"swp{port}"}, "descr": f"swp{port}", "ttl": "120"}
                found.append({netdev: {"via": "LLDP", "chassis": {leaf: {"id": identifier}}, "port": said}})
        return found

    def _subnet(self, name: str, device: str) -> tuple[int, str, str]:
        card = self.machines[name].facts["cards"].get(device)
        if not card or not card["there"]:
            return 1, "", NO_CARD.format(device)
        if not self._up(name, device):
            return 0, "\n".join([*HEAD, *_device("Ca", 1, CARD, f"{name} {device}")]) + "\n", ""
        lines, cards, up = list(HEAD), list[str](), list[str]()
        for lid, (leaf, below) in enumerate(sorted(self._below().items()), 1):
            guid, words = SWITCH + lid, DESCRIBED.format(leaf)
            engine = (RADIX + 1, ENGINE + lid, AGGREGATION)
            lines += _device("Switch", RADIX + 1, guid, words)
            lines += [_to_card(port, own, described) for port, own, described in [*below, engine]]
            lines.append(_to_switch(RADIX, SWITCH, lid, DESCRIBED.format(SPINE)))
            up.append(_to_switch(lid, guid, RADIX, words))
            for port, own, described in [*below, engine]:
                cards += [*_device("Ca", 1, own, described), _of_card(own, guid, port, words)]
        lines += _device("Switch", RADIX + 1, SWITCH, DESCRIBED.format(SPINE))
        return 0, "\n".join([*lines, *up, *cards]) + "\n", ""

    def _below(self) -> dict[str, list[tuple[int, int, str]]]:
        """Leaf → port, identifier and description of every card that is up, by port."""
        found: dict[str, list[tuple[int, int, str]]] = {}
        for at, ((node, rail), (leaf, port)) in enumerate(sorted(self.ends.items())):
            card = list(self.machines[node].facts["cards"])[rail]
            if self._up(node, card):
                found.setdefault(leaf, []).append((port, CARD + at, f"{node} {card}"))
        return {leaf: sorted(ports) for leaf, ports in found.items()}


def _device(kind: str, ports: int, guid: int, described: str) -> list[str]:
    """The head of a device; a switch's first port is its own."""
    switch = kind == "Switch"
    own = f"switchguid=0x{guid:x}({guid:x})" if switch else f"caguid=0x{guid:x}"
    more = " enhanced port 0 lid 1 lmc 0" if switch else ""
    return ["", own, f'{kind}\t{ports} "{"S" if switch else "H"}-{guid:016x}"\t\t# "{described}"{more}']


def _to_card(number: int, guid: int, described: str) -> str:
    """A switch's port below which a card is."""
    return f'[{number}]\t"H-{guid:016x}"[1]({guid:x}) \t\t# "{described}" lid 2 4xNDR'


def _to_switch(number: int, guid: int, far: int, described: str) -> str:
    """A switch's port with another switch at its other end."""
    return f'[{number}]\t"S-{guid:016x}"[{far}]\t\t# "{described}" lid 1 4xNDR'


def _of_card(own: int, guid: int, far: int, described: str) -> str:
    """A card's port."""
    return f'[1]({own:x}) \t"S-{guid:016x}"[{far}]\t\t# lid 2 lmc 0 "{described}" lid 1 4xNDR'


def _end(words: str) -> End:
    """``h100-3 2`` is rail 2 of h100-3."""
    node, _, rail = words.partition(" ")
    return node, int(rail)
