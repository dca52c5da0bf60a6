"""Measures how surely a loss of 3 % is distinguished from noise, and how often noise is taken for a loss.

usage: benchmarks/loss_power.py [--sets 20000] [--seed 1]

Against a certificate (one measurement, or several) and among siblings (eight rails of a node; eight rails of each of three nodes,
each direction, as the rail judge has them). The baseline in the same run is the plain rule "3 % below": half of all such losses
lie below it. Noise is even within ±1 %; the last table reads ±1 % as one standard deviation, told to the comparison or left for
it to find in the repeats.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable
from statistics import fmean

from railbed.catalog import load_machine
from railbed.claims import Verdict
from railbed.judge import compare, rails
from railbed.judge.rails import RailSample
from railbed.laws import bandwidth

Draw = Callable[[], float]
LOSS = compare.LOSS


NORMAL_SETS = 5
"""Times as many sets where false alarms are near what is allowed: 5,000 sets tell 0.07 % from 0.14 % badly."""


def at_most(share: float, sets: int) -> float:
    """Upper end of a share that was seen, 95 % sure (Wilson 1927)."""
    z = 1.645
    middle = share + z * z / (2 * sets)
    return (middle + z * math.sqrt(share * (1 - share) / sets + (z / (2 * sets)) ** 2)) / (1 + z * z / sets)


def even(dice: random.Random) -> Draw:
    return lambda: dice.uniform(0.99, 1.01)


def normal(dice: random.Random) -> Draw:
    return lambda: dice.gauss(1, 0.01)


def certificate(
    draw: Draw, repeats: int, reference: int, sets: int, noise: compare.Noise | None
) -> tuple[float, float, float, float]:
    """(power, false alarms) of the comparison, then of the plain rule."""
    seen = false = plain_seen = plain_false = 0
    for _ in range(sets):
        base = [draw() for _ in range(reference)]
        well = [draw() for _ in range(repeats)]
        slow = [(1 - LOSS) * draw() for _ in range(repeats)]
        seen += compare.against(slow, base, noise).lost
        false += compare.against(well, base, noise).lost
        limit = fmean(base) * (1 - LOSS)
        plain_seen += fmean(slow) < limit
        plain_false += fmean(well) < limit
    return seen / sets, false / sets, plain_seen / sets, plain_false / sets


def siblings(draw: Draw, repeats: int, sets: int) -> tuple[float, float]:
    """(power, sets with a false alarm) among eight."""
    seen = false = 0
    for _ in range(sets):
        values = {str(i): [(1 - LOSS * (i == 0)) * draw() for _ in range(repeats)] for i in range(8)}
        found = compare.among(values)
        seen += found["0"].lost
        false += any(c.lost for name, c in found.items() if name != "0")
    return seen / sets, false / sets


def rail_judge(dice: random.Random, repeats: int, sets: int) -> tuple[float, float]:
    """(power, runs with a false alarm) of the rail judge: three nodes, eight rails, both ways, one rail out of one node slow."""
    machine = bandwidth.of(load_machine("metal/hgx-h100"))
    expected = {i: bandwidth.expect_rail(machine) for i in range(8)}
    nodes = ["a", "b", "c"]
    draw = even(dice)
    seen = false = 0
    for _ in range(sets):
        flows = [
            RailSample(rail=r, sender=x, receiver=y, omitted_s=1.0, gbps=388 * draw() * (1 - LOSS * ((x, r) == ("b", 3))))
            for _ in range(repeats) for r in range(8) for x in nodes for y in nodes if x != y
        ]  # fmt: skip
        failed = {(j.node, j.claim) for j in rails.judge(flows, expected, nodes) if j.verdict is Verdict.FAIL}
        seen += ("b", "fabric.rail.3.bandwidth") in failed
        false += bool(failed - {("b", "fabric.rail.3.bandwidth")})
    return seen / sets, false / sets


def main() -> None:
    """Prints the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sets", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    dice, start = random.Random(given.seed), time.perf_counter()
    print(f"loss {LOSS:.0%}, noise even within ±1 %, {given.sets} sets each\n")
    print(
        "against a certificate       power   false alarms   | 3 % below: power   false alarms   ratio of misses"
    )
    for repeats, reference in ((1, 1), (3, 1), (5, 1), (3, 3), (5, 5)):
        seen, false, plain, plain_false = certificate(even(dice), repeats, reference, given.sets, None)
        ratio = (1 - seen) / (1 - plain)
        label = f"{repeats} repeats, {reference} in it"
        print(f"{label:25}{seen:8.4f}{false:15.5f}   | {plain:16.4f}{plain_false:15.5f}{ratio:18.3f}")
    needed = compare.repeats_for(compare.GIVEN, 1)
    print(f"repeats for a power of {compare.POWER:.0%} against one measurement: {needed}\n")
    print("eight siblings              power   sets with a false alarm")
    for repeats in (1, 2, 3):
        seen, false = siblings(even(dice), repeats, given.sets // 4)
        print(f"{repeats} repeats{seen:24.4f}{false:15.5f}")
    print("\nrail judge, 3 nodes × 8 rails  power   runs with a false alarm")
    for repeats in (1, 3):
        seen, false = rail_judge(dice, repeats, given.sets // 100)
        print(f"{repeats} flows per pair{seen:21.4f}{false:15.5f}")
    print("\nnoise with a standard deviation of 1 %, against a certificate of as many measurements")
    print("                           power   false alarms   at most (95 % sure)   power by the law")
    wide = compare.Noise(share=0.01)
    for repeats, spread in ((1, wide), (5, wide), (9, wide), (9, None), (12, None)):
        seen, false, _, _ = certificate(normal(dice), repeats, repeats, given.sets * NORMAL_SETS, spread)
        label = f"{repeats} repeats, {'told' if spread else 'not told'}"
        law = f"{compare.power(wide, repeats, repeats):18.4f}" if spread else ""
        most = at_most(false, given.sets * NORMAL_SETS)
        print(f"{label:24}{seen:8.4f}{false:15.5f}{most:22.5f}{law}")
    print(f"\n{time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
