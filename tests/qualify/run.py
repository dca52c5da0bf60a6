"""Runs one part of the qualification in a lab of its own and writes its section of docs/qualification.md, row by row.

usage: python -m tests.qualify.run PART [--runs N] [--minutes M] [--seed N] [--stack S]    as root; PART: a key of ABOUT
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.lab.conftest import Cli, stacks

from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.errors import Exit
from railbed.platforms.lab import faults
from railbed.platforms.lab.fault import Fault, Injected
from railbed.run import run

from . import jobs, machines, metal, soak, soak_judging
from .judging import Wanted, failed_claims, problems
from .page import Row, Section, replaced

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/qualification.md"
STACK = "qualify"
MACHINES, METAL, JOBS, SOAK = "machines", "metal", "jobs", "soak"
LAYERS = {
    "faults-1": ("rail", "leaf", "nic", "cable", "identity"),
    "faults-2": ("gpu", "pcie"),
    "faults-3": ("nvlink", "software", "time", "limits"),
    "faults-4": ("filesystem", "scheduler", "job"),
}
"""Part → layers of its faults, at most fifteen; each takes an hour at most."""
ABOUT = {
    "faults-1": "Faults of rails, leaf switches, cards, cables, reach and identities, each alone, against a full validation.",
    "faults-2": "Faults of GPUs and PCIe (simulated), each alone, against a full validation.",
    "faults-3": "Faults of NVLink (simulated), installed software and hosts, each alone, against a full validation.",
    "faults-4": "Faults of the filesystem, scheduler and jobs, each alone, against a full validation.",
    JOBS: "What dies under a job: a data server after its checkpoint, whole nodes in the middle of it; each alone.",
    "healthy": "A lab without faults, one full validation after the other.",
    MACHINES: "Three virtual machines with soft RoCE on their rails (`examples/lab-machines.yaml`), step by step.",
    METAL: metal.ABOUT,
    SOAK: soak.ABOUT,
}
HEALTHY_RUNS = 20
LONGEST_MINUTES = 60.0
NODES, SPARES = 4, 1
INDEX = 3
"""Rail or GPU that a fault is put on."""


def where(contract: Contract, fault: Fault, at: int) -> Injected:
    """One of the hosts that it can be put on, the nodes in turn; no spare, which fewer measurements include."""
    able = faults.hosts(contract, fault)[:NODES]
    index = INDEX if {"RAIL", "GPU"} & set(fault.arguments) else 0
    return Injected(
        fault.name,
        able[at % len(able)],
        index,
        percent=5.0,
        side="node",
        other=INDEX + 1 if fault.between_rails else 0,
    )


def faults_of(part: str) -> list[Fault]:
    """Those of its layers; of faults that differ in a parameter only, one for each set of claims that they break."""
    return [fault for fault in faults.different() if fault.layer in LAYERS[part]]


def fault_rows(cluster: Cli, chosen: list[Fault]) -> Iterator[Row]:
    """Each fault: in, validated, out."""
    contract = contract_store.load(cluster.work)
    for at, fault in enumerate(chosen):
        one, start = where(contract, fault, at), time.monotonic()
        words = [one.node, *([str(one.index)] if {"RAIL", "GPU"} & set(fault.arguments) else [])]
        words += [str(one.other)] if fault.between_rails else []
        if "--percent" in fault.arguments:
            words += ["--percent", f"{one.percent:g}"]
        try:
            cluster("lab", "fault", "inject", fault.name, *words)
            report = cluster.json("validate", status=None)
        finally:
            cluster("lab", "fault", "clear")
        wanted = Wanted(faults.seen_by(contract, fault.name), fault.culprit(one), fault.culprits(one))
        found = ", ".join(failed_claims(report)) or f"nothing: {report['verdict']}"
        yield Row(f"`{fault.name}`", found, time.monotonic() - start, problems(wanted, report))


def healthy_rows(cluster: Cli, runs: int) -> Iterator[Row]:
    """Full validations, which must all pass."""
    for at in range(runs):
        start = time.monotonic()
        report = cluster.json("validate", status=None)
        bad = [
            f"{one['claim']} {one['node']}: {one['reason']}"
            for one in report["claims"]
            if one["verdict"] != "pass"
        ]
        yield Row(f"run {at + 1}", report["verdict"], time.monotonic() - start, bad)


@contextmanager
def rows_of(part: str, runs: int, minutes: float, stack: str, seed: int) -> Iterator[Iterator[Row]]:
    """The rows of a part, as they come, on what is there so long; ``stack``: one that stands already, of machines or a soak."""
    if part == SOAK:
        with soak.rows_of(stack or STACK, minutes, seed, keep=bool(stack)) as found:
            yield found
    elif part == MACHINES:
        with machines.cluster(stack or STACK, keep=bool(stack)) as cluster:
            yield machines.rows(cluster)
    elif part == METAL:
        with closing(metal.rows(minutes)) as rows:
            yield rows
    else:
        with stacks() as make:
            cluster = make(STACK, nodes=NODES, spares=SPARES)
            if part == JOBS:
                jobs.make(cluster)
                yield jobs.rows(cluster)
            else:
                cluster.json("up")
                yield (
                    healthy_rows(cluster, runs) if part == "healthy" else fault_rows(cluster, faults_of(part))
                )


def planned_rows(part: str, runs: int) -> int:
    """Rows of a whole run."""
    known = {
        "healthy": runs,
        MACHINES: len(machines.STEPS),
        JOBS: len(jobs.STEPS),
        METAL: len(metal.INSTALLERS),
        SOAK: len(soak_judging.CONDITIONS),
    }
    return known.get(part) or len(faults_of(part))


def commit() -> str:
    """The checkout's commit; says where files differ from it."""
    short = run(["git", "-C", str(ROOT), "rev-parse", "--short=8", "HEAD"]).stdout.strip()
    changed = run(["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    return f"{short} with changes" if changed else short


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, load {os.getloadavg()[2]:.0f} at the end"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=ABOUT)
    parser.add_argument("--runs", type=int, default=HEALTHY_RUNS, help="validations of a healthy lab")
    parser.add_argument(
        "--minutes", type=float, help="after which no further row starts; soak: how long faults come"
    )
    parser.add_argument("--seed", type=int, default=soak.SEED, help="soak: which faults come, and when")
    parser.add_argument(
        "--stack", default="", help="machines, soak: those of this stack, which stands and stays"
    )
    given = parser.parse_args()
    soaks = given.part == SOAK
    minutes = given.minutes or (soak.MINUTES if soaks else LONGEST_MINUTES)
    # Ended from outside it removes its lab too, as it does where a person interrupts it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.UNPROVEN))
    planned = planned_rows(given.part, given.runs)
    of, rows, start = commit(), list[Row](), time.monotonic()
    with rows_of(given.part, given.runs, minutes, given.stack, given.seed) as found:
        for row in found:
            rows.append(row)
            told = {"name": row.name, "found": row.found, "s": round(row.seconds), "problems": row.problems}
            print(json.dumps(told), flush=True)
            date = datetime.datetime.now(datetime.UTC).date().isoformat()
            about = ABOUT[given.part] + (
                f" Seed {given.seed}, {minutes:g} minutes of faults." if soaks else ""
            )
            section = Section(given.part, about, of, date, machine(), rows, planned)
            PAGE.write_text(replaced(PAGE.read_text(), section))
            if not soaks and time.monotonic() - start > minutes * 60:
                break
    missing = planned - len(rows)
    print(
        f"{sum(row.passed for row in rows)} of {len(rows)} hold"
        f"{f', {missing} not run' if missing else ''}; {PAGE.relative_to(ROOT)} says which"
    )
    if not all(row.passed for row in rows):
        return Exit.FAIL
    return Exit.UNPROVEN if missing else Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
