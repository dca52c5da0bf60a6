"""Measures what a decision about the nodes of a large cluster costs: the journal is opened, every node's place in its life
is worked out, and every guard is asked about every node.

usage: PYTHONPATH=. benchmarks/operate.py [--nodes 4000] [--entries 1000000] [--seeds 20]

Then the margin of the simulated goodput (`benchmarks/repairs`) over "reboot and hope".

Prints processor seconds beside reading the whole journal as JSON in the same run. Nothing is asserted: other work on the machine
decides.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import TypeVar

from repairs import Setting, simulate
from tests.unit.validate.conftest import make_contract, make_node

from railbed.contract import Contract
from railbed.defaults import HEALTH_REPORT_PREFIX, HEALTHCHECK_PREFIX
from railbed.effects.journal import Journal
from railbed.operate import guards, nodes, picture
from railbed.operate.guards import Action
from railbed.operate.incidents import incidents
from railbed.parse.slurm import NodeState
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose

T = TypeVar("T")
DAYS = 90
STEPS = ("repair-drain", "repair-wait", "repair-evidence", "repair-hold", "repair-converged", "repair-validated",
         "repair-resumed")  # fmt: skip
"""Of one repair; a node's entries are whole ones."""


def write_journal(path: Path, names: list[str], entries: int) -> None:
    """Repairs of random nodes over three months, as the commands write them, save that nothing waits for the disk."""
    choose, start = random.Random(15), datetime.now(UTC) - timedelta(days=DAYS)
    with path.open("w") as file:
        for number in range(0, entries, len(STEPS)):
            name = choose.choice(names)
            for step, event in enumerate(STEPS[: entries - number]):
                at = start + timedelta(days=DAYS) * ((number + step) / entries)
                entry = {
                    "at": at.isoformat(timespec="seconds"),
                    "event": event,
                    "node": name,
                    "file": f"evidence/{name}.txt",
                }
                file.write(json.dumps(entry) + "\n")


def cluster(count: int) -> Contract:
    """One pool of that many nodes behind a controller; addresses are not looked at."""
    made = make_contract()
    workers = [make_node(f"h100-{number}", "compute", 11) for number in range(count)]
    return made.model_copy(update={"nodes": [made.nodes[0], *workers]})


def states(names: list[str]) -> dict[str, NodeState]:
    """One node in twenty reports that a filesystem is silent, and one in a hundred drained itself."""
    silent = compose([Symptom("filesystem-silent", "/scratch", "no answer within 8 s")], HEALTH_REPORT_PREFIX)
    return {
        name: NodeState(
            name=name, base="IDLE", flags=frozenset({"DRAIN"} if number % 100 == 0 else ()), gres="gpu:8",
            partitions=("batch",), reason=f"{HEALTHCHECK_PREFIX} gpu-lost: 7 of 8" if number % 100 == 0 else "",
            comment=silent if number % 20 == 0 else "",
        )
        for number, name in enumerate(names)
    }  # fmt: skip


def timed(what: str, budget: str, work: Callable[[], T]) -> T:
    """Runs it and prints a row."""
    start = time.process_time()
    made = work()
    print(f"{what:62} {time.process_time() - start:7.2f} s  {budget}")
    return made


def margin(seeds: int) -> None:
    """Prints how much of 75 days a job of 1,024 GPUs computes, with railbed and with reboots."""
    goodput = {
        way: [simulate(Setting(), seed, way).goodput for seed in range(seeds)]
        for way in ("railbed", "reboot and hope")
    }
    ours, theirs = (100 * mean(found) for found in goodput.values())
    won = sum(one > other for one, other in zip(*goodput.values(), strict=True))
    print(
        f"simulated goodput, {seeds} seeds: railbed {ours:.2f} %, reboot and hope {theirs:.2f} %: margin"
        f" {ours - theirs:+.2f} points; more in {won} of {seeds}"
    )


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nodes", type=int, default=4000)
    options.add_argument("--entries", type=int, default=1_000_000)
    options.add_argument("--seeds", type=int, default=20)
    given = options.parse_args()
    contract = cluster(given.nodes)
    names = [node.name for node in contract.nodes if node.gpus]
    known = states(names)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        write_journal(journal.path, names, given.entries)
        print(
            f"{given.entries} entries, {journal.path.stat().st_size / 1e6:.0f} MB, {given.nodes} nodes; processor seconds"
        )
        timed("read all of the journal (baseline)", "", lambda: sum(1 for _ in journal.read()))
        index = timed("open the journal", "to reach: 2 s", journal.index)
        seen = picture.Picture(
            contract=contract, states=known, jobs={}, reservations=(), index=index, now=datetime.now(UTC),
            accepted={node.name: node.identity.value for node in contract.nodes},
            releases=dict.fromkeys(names, contract.software.release),
        )  # fmt: skip

        def decide() -> int:
            incidents(contract, known)
            views = [nodes.view(node, seen) for node in contract.nodes]
            return len(views)

        timed("one node's history", "", lambda: len(list(index.of(names[7]))))
        timed("incidents, and every node's place in its life", "to reach: 1 s", decide)
        out = [name for name in names if known[name].drained]
        timed("guards of a repair, one node", "", lambda: guards.refusals(seen, out[:1], Action.REPAIR))
        timed(
            f"guards of a settlement, {len(out)} nodes",
            "",
            lambda: [guards.refusals(seen, [n], Action.SETTLE) for n in out],
        )
    margin(given.seeds)


if __name__ == "__main__":
    main()
