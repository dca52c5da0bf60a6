"""Measures blame: rounds, found and falsely named nodes, stages and memory of the link sweep, seconds of a schedule.

usage: benchmarks/blame.py [--runs 300]

Every figure stands beside a baseline that is run in the same call and a ratio to it, or to what the design asks.
Nothing is asserted. Faults are drawn; nothing here touches hardware.
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from railbed import fault_search
from railbed.claims import Verdict
from railbed.fabric import Fabric, FabricRequest, Names, plan
from railbed.fabric.cables import core_end, spine_end
from railbed.fault_search.paths import Paths
from railbed.fault_search.sweep import least_stages, sweep

NODES = 512
PREVALENCE = 0.01
ROUNDS = 12
Outcome = tuple[set[str], set[str], int]
"""Bad nodes, named nodes, rounds."""
Link = tuple[str, int, int]
"""A direction of a cable, or of a NIC."""


def adaptive(seed: int, share: float, noise: float) -> Outcome:
    """railbed's search: pairs by what is known, explain-away decoding, its own stop."""
    rng, bad = drawn(seed)
    rule = {"seed": seed, "least_failing": 1.0 if share == 1 else 0.5}
    record = fault_search.begin(fault_search.Search(nodes=NODES, rule=rule))
    decision = fault_search.decide(record)
    while decision.next_round:
        made = fault_search.next_round(record)
        tests = [
            test.model_copy(
                update={
                    "verdict": Verdict.FAIL if fails(test.nodes, bad, share, noise, rng) else Verdict.PASS
                }
            )
            for test in made.tests
        ]
        record = record.with_round(made.model_copy(update={"tests": tests}))
        decision = fault_search.decide(record)
    return bad, {one.node for one in decision.culprits}, len(record.rounds)


def counting(seed: int, share: float, noise: float) -> Outcome:
    """The baseline: random pairs in twelve rounds (two for hard faults); whoever fails twice is named."""
    rng, bad = drawn(seed)
    rounds = 2 if share == 1 else ROUNDS
    failures: dict[str, int] = {}
    names = [f"node-{node}" for node in range(NODES)]
    for _ in range(rounds):
        rng.shuffle(names)
        for pair in zip(names[::2], names[1::2], strict=True):
            if fails(pair, bad, share, noise, rng):
                for name in pair:
                    failures[name] = failures.get(name, 0) + 1
    return bad, {name for name, count in failures.items() if count >= 2}, rounds


def drawn(seed: int) -> tuple[random.Random, set[str]]:
    """The same bad nodes for both."""
    rng = random.Random(seed)
    return rng, {f"node-{node}" for node in range(NODES) if rng.random() < PREVALENCE}


def fails(pair: tuple[str, str], bad: set[str], share: float, noise: float, rng: random.Random) -> bool:
    """Whether a test of two nodes fails."""
    return any(name in bad and rng.random() < share for name in pair) or rng.random() < noise


def nodes(runs: int) -> None:
    """Hard and flaky nodes."""
    print(
        f"{NODES} nodes, 1 in 100 bad, {runs} runs each: railbed / baseline (random pairs, named at two failures)"
    )
    print(f"{'faults':34}{'found':>17}{'false per run':>19}{'all of a run':>15}{'rounds, most':>14}")
    for label, share, noise in (
        ("always fail", 1.0, 0.0),
        ("fail half of their tests", 0.5, 0.0),
        ("the same, 1 in 10,000 by chance", 0.5, 1e-4),
        ("the same, 1 in 1,000 by chance", 0.5, 1e-3),
    ):
        ours, base = (summed(way, runs, share, noise) for way in (adaptive, counting))
        print(
            f"{label:34}{ours[0]:9.4f} /{base[0]:6.4f}{ours[1]:9.3f} / {base[1]:7.3f}{ours[2]:9.3f} /{base[2]:5.3f}"
            f"{ours[3]:7.2f}, {ours[4]:2}"
        )
    print("to reach: hard faults 1.0 in 2 rounds; flaky ≥ 0.99 found, ≤ 0.1 false, ≤ 12 rounds")


def summed(
    way: Callable[[int, float, float], Outcome], runs: int, share: float, noise: float
) -> tuple[float, float, float, float, int]:
    """Share found, false per run, share of runs with all found and no false one, mean and most rounds."""
    outcomes = [way(seed, share, noise) for seed in range(runs)]
    bad = sum(len(there) for there, _, _ in outcomes)
    found = sum(len(there & named) for there, named, _ in outcomes)
    false = sum(len(named - there) for there, named, _ in outcomes)
    exact = sum(there == named for there, named, _ in outcomes)
    rounds = [count for _, _, count in outcomes]
    return found / bad, false / runs, exact / runs, sum(rounds) / runs, max(rounds)


class Greedy:
    """The baseline sweep: cable by cable in the order of the map, each way; one flow in the first stage with room."""

    def __init__(self, fabric: Fabric, *, credit: bool) -> None:
        self.fabric, self.credit = fabric, credit
        self.used: list[set[Link]] = []
        self.loaded: set[Link] = set()
        self.under: dict[int, list[int]] = {}
        for node in range(fabric.request.nodes):
            for rail in range(fabric.request.rails):
                self.under.setdefault(node // fabric.down * fabric.request.rails + rail, []).append(node)
        self.at_spine: dict[int, list[tuple[int, int]]] = {}
        for leaf in range(fabric.leaf):
            for uplink in range(fabric.up):
                self.at_spine.setdefault(spine_end(fabric, leaf, uplink)[0], []).append((leaf, uplink))
        self.at_core: dict[int, list[tuple[int, int]]] = {}
        for spine in range(fabric.spine if fabric.core else 0):
            for uplink in range(fabric.half):
                self.at_core.setdefault(core_end(fabric, spine, uplink)[0], []).append((spine, uplink))

    def stages(self) -> int:
        """Stages until every direction of every cable between switches has a flow of its own.

        With ``credit`` a cable that another flow already loads needs none.
        """
        for spine, ports in self.at_spine.items():
            for port in ports:
                for direction in ("up", "down"):
                    self._place(
                        (direction, *port),
                        partial(self._leaf_flow, port=port, spine=spine, up=direction == "up"),
                    )
        for core, uplinks in self.at_core.items():
            for uplink in uplinks:
                for direction in ("up", "down"):
                    self._place(
                        (f"core {direction}", *uplink),
                        partial(self._core_flow, uplink=uplink, core=core, up=direction == "up"),
                    )
        return len(self.used)

    def _place(self, link: Link, way: Callable[[set[Link]], list[Link]]) -> None:
        """One flow over the link in the first stage that has a way for it, else in a new one."""
        if self.credit and link in self.loaded:
            return
        for stage in [*self.used, set()]:
            found = way(stage)
            if found:
                if not stage:
                    self.used.append(stage)
                stage.update(found)
                self.loaded.update(found)
                return

    def _leaf_flow(self, stage: set[Link], port: tuple[int, int], spine: int, up: bool) -> list[Link]:
        """A way up the port and down another leaf's (or the other way round); empty where none is free."""
        own = self._leaf(stage, port, up)
        others = (self._leaf(stage, other, not up) for other in self.at_spine[spine] if other[0] != port[0])
        far = next((way for way in others if way), [])
        return own + far if own and far else []

    def _core_flow(self, stage: set[Link], uplink: tuple[int, int], core: int, up: bool) -> list[Link]:
        """The same over a core, by any leaf with a free NIC at both ends."""
        own = self._spine(stage, uplink, up)
        if not own:
            return []
        pod = uplink[0] // self.fabric.up
        others = (self._spine(stage, c, not up) for c in self.at_core[core] if c[0] // self.fabric.up != pod)
        far = next((way for way in others if way), [])
        return own + far if far else []

    def _spine(self, stage: set[Link], uplink: tuple[int, int], up: bool) -> list[Link]:
        link: Link = ("core up" if up else "core down", *uplink)
        if link in stage:
            return []
        paths = (self._leaf(stage, port, up) for port in self.at_spine.get(uplink[0], ()))
        found = next((way for way in paths if way), [])
        return [link, *found] if found else []

    def _leaf(self, stage: set[Link], port: tuple[int, int], up: bool) -> list[Link]:
        link: Link = ("up" if up else "down", *port)
        if link in stage:
            return []
        nics: list[Link] = [("from" if up else "to", node, port[0]) for node in self.under.get(port[0], ())]
        nic = next((one for one in nics if one not in stage), None)
        return [link, nic] if nic else []


def links() -> None:
    """Stages of the sweep beside the baseline, and what cannot be less."""
    print(
        "\nlink sweep: stages, beside the fewest possible and a greedy first fit with a flow for each cable and way"
    )
    print(
        f"{'fabric':34}{'cables':>8}{'railbed':>9}{'fewest':>8}{'greedy':>8}{'ratio':>7}{'crediting':>11}{'ratio':>7}"
    )
    for label, request in (
        ("32 nodes, 1 unit", FabricRequest(nodes=32)),
        ("128 nodes, 2 tiers", FabricRequest(nodes=128)),
        ("127 nodes", FabricRequest(nodes=127)),
        ("64 nodes, radix 32, 3 tiers", FabricRequest(nodes=64, radix=32)),
        ("128 nodes, radix 32, 3 tiers", FabricRequest(nodes=128, radix=32)),
        ("256 nodes, radix 64, 2 tiers", FabricRequest(nodes=256)),
        ("512 nodes, 3 tiers", FabricRequest(nodes=512)),
        ("500 nodes, 3 tiers", FabricRequest(nodes=500)),
        ("126 nodes, 2 down to 1 up", FabricRequest(nodes=126, oversubscription=Fraction(2))),
    ):
        fabric = plan(request)
        ours, least = sweep(fabric).stages, least_stages(fabric)
        base = Greedy(fabric, credit=False).stages()
        fair = Greedy(fabric, credit=True).stages()
        cables = fabric.cables["leaf_spine"] + fabric.cables["spine_core"]
        print(
            f"{label:34}{cables:8}{ours:9}{least:8}{base:8}{ours / base:7.2f}{fair:11}{ours / fair:7.2f}",
            flush=True,
        )
    print("to reach: at most 0.5 of the baseline")


def memory() -> None:
    """Bytes per cable at two sizes: linear where the ratio is 1."""
    each = []
    for count in (1024, 8192):
        fabric = plan(FabricRequest(nodes=count, radix=128))
        tracemalloc.start()
        made = sweep(fabric)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        cables = fabric.cables["leaf_spine"] + fabric.cables["spine_core"]
        each.append(peak / cables)
        size = f"{count} nodes, {cables} cables, {len(made.flows)} flows"
        print(f"\nmemory: {size}: {peak / 2**20:.1f} MiB, {each[-1]:.0f} B a cable", end="")
    print(f"; ratio of the two {each[1] / each[0]:.2f} (linear: 1)")


def schedule() -> None:
    """Seconds to plan rounds for 10,000 nodes."""
    print("\nschedules for 10,000 nodes (to reach: 1 s each)")
    record = fault_search.begin(fault_search.Search(nodes=10_000))
    start = time.perf_counter()
    made = fault_search.next_round(record)
    took = time.perf_counter() - start
    print(f"pairs, first round: {took:.2f} s, {len(made.tests)} tests")
    rng = random.Random(0)
    bad = {f"node-{node}" for node in range(10_000) if rng.random() < PREVALENCE}
    while len(record.rounds) < 6:
        tests = [
            test.model_copy(
                update={"verdict": Verdict.FAIL if fails(test.nodes, bad, 0.5, 0, rng) else Verdict.PASS}
            )
            for test in made.tests
        ]
        record = record.with_round(made.model_copy(update={"tests": tests}))
        start = time.perf_counter()
        made = fault_search.next_round(record)
        took = time.perf_counter() - start
    print(f"pairs, seventh round, {len(record.rounds) * 5000} results decoded: {took:.2f} s")
    fabric = plan(FabricRequest(nodes=10_000, radix=128))
    start = time.perf_counter()
    swept = sweep(fabric)
    took = time.perf_counter() - start
    print(f"link sweep, radix 128, {len(swept.flows)} flows in {swept.stages} stages: {took:.2f} s", end="")
    start = time.perf_counter()
    named = Paths(fabric, Names().checked(1), 0)
    characters = sum(len(named.of(flow)) for flow in swept.flows)
    print(f"; its {characters / 1e6:.0f} MB of port names: {time.perf_counter() - start:.2f} s")


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=300, help="searches per kind of fault (default 300)")
    chosen = parser.parse_args()
    schedule()
    memory()
    links()
    print()
    nodes(chosen.runs)


if __name__ == "__main__":
    main()
