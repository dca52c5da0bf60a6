"""The fabric between replayed nodes: what ib_write_bw prints over a rail, and what the rails' ports count."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.support.replay import ethernet
from tests.support.replay.facts import HEALTHY, template
from tests.support.replay.node import Machine

from railbed.contract import Contract
from railbed.defaults import RAIL_PORT
from railbed.run import Result
from railbed.validate.flow_perftest import PERFTEST_CARDS_MOST
from railbed.validate.flow_tool import LANE_PORTS, Flow
from railbed.validate.node.rail_probe import NOT_STARTED

SRD, RC = template("ib_write_bw-srd.txt"), template("ib_write_bw-rc.txt")
TABLES = {
    "ib_write_bw": RC, "ib_write_lat": template("ib_write_lat.txt"), "ib_send_lat": template("ib_send_lat-srd.txt"),
}  # fmt: skip
DOWN = " Port number 1 state is Down\n Couldn't set the link layer\n Couldn't get context for the device\n"
STARTED_S, AROUND_S = 0.05, 0.6
"""When a client starts after the order, and for how long it runs beside its data; built."""
NO_ANSWER = " Completion with error at client\n Failed status 12: wr_id 0 syndrom 0x81\nscnt=128, ccnt=0\n"
"""As linux-rdma/perftest prints it (zrlio/softiwarp issue 27)."""
MANAGEMENT = "management"
SPECIAL = {"leaf", "incast", "apart"}
"""Rules of flows that collectives do not have."""
SENT = 2
"""Bytes that a node sends for each of a message, all rails together: a ring's all_reduce over many nodes; built."""


class Fabric:
    """Rails that carry what healthy ones do, less what ``rules`` take: ``{from, to, rail, share | latency | text | code}``.

    ``latency``: times as long. A rule with ``leaf`` (a name) is of flows that cross between leaves there, with two of what lies
    between them; one with ``incast`` of several flows into one rail; one with ``apart`` of nodes that are no neighbours; one with
    ``only`` of one program.
    """

    def __init__(
        self, contract: Contract, cluster: str, machines: dict[str, Machine], rules: list[dict[str, Any]],
        *, leaky: bool = False,
    ) -> None:  # fmt: skip
        self.leaky = leaky
        """Whether cards and switches let every partition key pass."""
        self.contract, self.cluster, self.machines, self.rules = contract, cluster, machines, rules
        self.srd, self.writes = contract.machines[0].transport == "efa", contract.machines[0].rdma_write
        self.program = "ib_write_bw" if self.writes else "ib_read_bw"
        self.counted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        """Node and rail → bytes sent and received."""
        self.plans: dict[str, dict[str, Any]] = {}
        """Node → what its probe was told in this window."""
        self.leaves = {
            (node.name, rail.index): nic.switch
            for node in contract.nodes
            for rail, nic in contract.nics(node)
        }

    def rule(self, way: Flow, device: str = "", program: str = "") -> dict[str, Any]:
        """The first rule that speaks of a way; a card's where it names one. Its rail is that of the end that it names."""
        for one in self.rules:
            rail = way.to_rail if "to" in one and "from" not in one else way.rail
            ends = one.get("from", way.sender) == way.sender and one.get("to", way.receiver) == way.receiver
            card = not device or one.get("device", device) == device
            named = one.get("rail", rail) == rail
            if ends and card and named and one.get("only", program) == program and self._fits(one, way):
                return one
        return {}

    def _fits(self, rule: dict[str, Any], way: Flow) -> bool:
        here, there = self.leaves[way.sender, way.rail], self.leaves[way.receiver, way.to_rail]
        named = rule.get("leaf", "").split()
        if named and (here == there or not set(named) <= {here, there}):
            return False
        if rule.get("apart"):
            names = list(self.machines)
            steps = abs(names.index(way.sender) - names.index(way.receiver))
            return 1 < steps < len(names) - 2
        return not rule.get("incast") or self._senders(way, 0) > 1

    def _senders(self, way: Flow, card: int) -> int:
        """Flows that end in one card of a rail: a reader has their clients, any other receiver their servers."""
        if not self.writes:
            clients = [one["id"].split(":")[0] for one in self.plans[way.receiver]["clients"]]
            return clients.count(f"{way.to_rail}.{card}")
        ports = [_far(server["port"]) for server in self.plans[way.receiver]["servers"]]
        return sum(one == (way.to_rail, card) for one in ports)

    def share(self, nodes: list[str]) -> float:
        """What the slowest rail leaves of a collective's rate over these nodes."""
        shares = [
            float(one.get("share", 1.0)) for one in self.rules
            if {one[end] for end in ("from", "to") if end in one} <= set(nodes) and not SPECIAL & set(one)
        ]  # fmt: skip
        return min([1.0, *shares])

    def active(self, node: str, device: str) -> bool:
        card = self.machines[node].facts["cards"].get(device)
        return bool(card and card["there"] and card["state"].startswith("4:"))

    def measure(self, node: str, plan: dict[str, Any], absent: list[str]) -> dict[str, Any]:
        """What the probe on a node answers to its plan."""
        flows, sent = [], defaultdict(int)
        for client in plan["clients"]:
            if client["partner"] in absent:
                continue
            rail, output, code, took_s, size = self._client(node, client)
            sent[str(rail)] += size
            flows.append({"id": client["id"], "code": code, "output": output, "began_s": STARTED_S,
                          "ended_s": STARTED_S + took_s + AROUND_S})  # fmt: skip
        rails = {
            rail: {
                "carrier": all(self.active(node, name) for name in parts["devices"]),
                "tx": sent[rail] if self.writes else self._given(node, int(rail)), "rx": sent[rail],
            }
            for rail, parts in plan["rails"].items()
        }  # fmt: skip
        return {"flows": flows, "rails": rails}

    def _given(self, node: str, rail: int) -> int:
        """Bytes that others read from a rail of a node."""
        readers = [
            (other, client) for other, plan in list(self.plans.items()) for client in plan["clients"]
            if client["partner"] == node and _far(int(client["argv"][client["argv"].index("-p") + 1]))[0] == rail
        ]  # fmt: skip
        return sum(self._client(other, client)[4] for other, client in readers)

    def _client(self, node: str, client: dict[str, Any]) -> tuple[int, str, int, float, int]:
        argv, other = client["argv"], client["partner"]
        timed = argv[0].endswith("_lat")
        assert argv[0] in TABLES or argv[0] == self.program, argv
        assert ("SRD" in argv) is self.srd, argv
        device, rail = argv[argv.index("-d") + 1], int(client["id"].split(".")[0])
        far_rail, number = _far(int(argv[argv.index("-p") + 1]))
        way = Flow(node, other, rail, far_rail)
        if not (self.writes or timed):
            way = way.back  # data come from who is read
        rule = self.rule(way, device, argv[0])
        lacking = ethernet.no_gid(self.machines[node], device, client.get("gid", {}).get("address", ""))
        if lacking:
            return rail, lacking, NOT_STARTED, 0.0, 0
        far = self._card(other, far_rail, number)
        if "text" in rule or not (self.active(node, device) and self.active(other, far)):
            return rail, rule.get("text", DOWN), rule.get("code", 0 if "text" in rule else 1), 0.1, 0
        if not self._keyed(node, argv, other, far):
            return rail, NO_ANSWER, 1, 0.1, 0
        if timed:
            took_us = HEALTHY[self.cluster]["latency_us"] * float(rule.get("latency", 1.0))
            found = {"least": took_us * 0.98, "typical": took_us, "average": took_us * 1.01}
            table = TABLES[argv[0]].substitute(device=device, **{k: f"{us:.2f}" for k, us in found.items()})
            return rail, table, 0, 0.1, 1000
        margin, seconds = int(argv[argv.index("-f") + 1]), int(argv[argv.index("-D") + 1])
        card_gbps = self.contract.machines[0].nic_gbps or 0.0
        rate = card_gbps * HEALTHY[self.cluster]["rail_share"] * float(rule.get("share", 1.0))
        rate /= max(1, self._senders(way, number))
        size = int(argv[argv.index("-s") + 1])
        count = round(rate * 1e9 / 8 / size * (seconds - 2 * margin))
        table = (SRD if self.srd else RC).substitute(device=device, iterations=count, rate=f"{rate:.6f}")
        if not self.writes:
            table = table.replace("RDMA_Write BW Test", "RDMA_Read BW Test")
        return rail, table, 0, float(seconds), count * size

    def _keyed(self, node: str, argv: list[str], other: str, far: str) -> bool:
        """Whether the ports at both ends take each other's partition key (InfiniBand Architecture 1.4, 10.9.3)."""
        if self.cluster != "hgx" or self.leaky:
            return True
        port = int(argv[argv.index("-p") + 1])
        there = next(one["argv"] for one in self.plans[other]["servers"] if one["port"] == port)
        mine, its = (
            int(self.machines[name].facts["cards"][device]["keys"][_place(words)], 16)
            for name, device, words in ((node, argv[argv.index("-d") + 1], argv), (other, far, there))
        )
        return mine & 0x7FFF == its & 0x7FFF and bool((mine | its) & 0x8000)

    def _card(self, node: str, rail: int, number: int) -> str:
        devices = list(self.machines[node].facts["cards"])
        per_rail = len(devices) // self.contract.machines[0].rails
        return devices[rail * per_rail + number]

    def moved(self, nodes: list[str], size: int, unused: dict[str, list[int]]) -> None:
        """A collective's messages of so many bytes together, in the ports' counters."""
        rails = self.contract.machines[0].rails
        for name in nodes:
            idle = unused.get(name, [])
            for rail in range(rails):
                part = 0 if rail in idle else size * SENT // (rails - len(idle))
                for way in (0, 1):
                    self.counted[name, str(rail)][way] += part

    def count(self, node: str, parts: dict[str, Any]) -> str:
        """What `rail_probe.py count` prints."""
        rails = {
            rail: {"carrier": True, "tx": self.counted[node, rail][0], "rx": self.counted[node, rail][1]}
            for rail in parts
        }
        assert MANAGEMENT in parts
        return json.dumps(rails)


def _place(argv: list[str]) -> int:
    return int(argv[argv.index("--pkey_index") + 1]) if "--pkey_index" in argv else 0


def _far(port: int) -> tuple[int, int]:
    """Rail and card of a server of perftest."""
    return divmod((port - RAIL_PORT) % LANE_PORTS, PERFTEST_CARDS_MOST)


class Session:
    """A probe that prepares, starts when told, and stops; with rule ``dies`` it says nothing more after the start."""

    def __init__(self, fabric: Fabric, node: str, dies: bool) -> None:
        self.fabric, self.node, self.dies = fabric, node, dies
        self.plan: dict[str, Any] = {}
        self.answers: list[dict[str, Any]] = []

    def send(self, data: bytes) -> bool:
        document = json.loads(data.rstrip(b"\n").rsplit(b"\n", 1)[-1])
        if "go" in document:
            self.answers += [] if self.dies else [
                {"started": True}, self.fabric.measure(self.node, self.plan, document["absent"])
            ]  # fmt: skip
        elif "stop" in document:
            self.answers.append({"stopped": True, "problems": []})
        else:
            self.plan = self.fabric.plans[self.node] = document
            self.answers.append({"ready": True, "problems": [], "idle": {}, "idle_s": 0.3})
        return True

    def receive(self, timeout_s: float) -> str | None:
        return json.dumps(self.answers.pop(0)) if self.answers else None

    def close(self) -> Result:
        self.fabric.plans.pop(self.node, None)
        return Result(("ssh",), 255, "", "Connection to the node closed by remote host.")
