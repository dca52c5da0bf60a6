"""Validates a healthy lab beside random load, then one with a rail at half its rate beside each load.

usage: benchmarks/lab_under_load.py [--runs 20] [--faults 4] [--seed 1] [--record FILE]

Builds two stacks of its own (`load`, and `load-b` as a load), validates the first and destroys both. Loads: none, four busy
loops, a disk writer, validations of the second lab. Prints a table of verdicts by load. The bar: no healthy run fails, at
most one in ten is unproven, and of a faulty lab the rail and only the rail is blamed. With --record each run is written to a file
as it ends, and a benchmark that was cut off goes on from there. Nothing is asserted; the exit status is 0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RAILBED = str(Path(sys.prefix) / "bin" / "railbed")
STACK, SECOND = "load", "load-b"
SCRATCH = ROOT / ".railbed" / "load-writer"
RAIL = ("h100-1", "3")
PERCENT = "50"
LOADS = {
    "none": [],
    "four busy loops": [[sys.executable, "-c", "while True: pass"]] * 4,
    "disk writer": [
        ["sh", "-c", f"while :; do dd if=/dev/zero of={SCRATCH} bs=1M count=512 conv=fsync status=none; done"]
    ],
    "second lab": [
        ["sh", "-c", f"while :; do {RAILBED} validate --stack {SECOND} --json > /dev/null 2>&1; done"]
    ],
}  # fmt: skip


def railbed(*words: str, stack: str = STACK) -> tuple[int, Any]:
    """One command with --json: exit status and document."""
    done = subprocess.run(
        [RAILBED, *words, "--stack", stack, "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        sys.exit(
            f"{' '.join(words)} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


def act(*words: str, stack: str = STACK) -> None:
    """One command that has no --json; ends the benchmark where it fails."""
    subprocess.run([RAILBED, *words, "--stack", stack], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def beside(load: str) -> Iterator[None]:
    """Keeps a load running; ends it, and only it, at the end."""
    running = [
        subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
        for argv in LOADS[load]
    ]
    try:
        yield
    finally:
        for one in running:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        SCRATCH.unlink(missing_ok=True)


def spec(stack: str, nodes: int, spares: int) -> None:
    """The example's spec in another size, as this stack's file."""
    document = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())
    cluster = document["config"]["railbed:cluster"]
    cluster["pools"][0].update(nodes=nodes, spares=spares)
    if nodes < 3:
        cluster["filesystems"] = []
    (ROOT / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))


def validate(load: str, *, fault: bool) -> dict[str, Any]:
    """One validation beside a load."""
    began = time.monotonic()
    with beside(load):
        _, report = railbed("validate")
    claims = report.get("claims", [])
    return {
        "load": load,
        "fault": fault,
        "verdict": report.get("verdict", str(report)),
        "culprits": [f"{c['node']} {c['part']}".strip() for c in report.get("culprits", [])],
        "failed": [f"{c['claim']} {c['node']}".strip() for c in claims if c["verdict"] == "fail"],
        "unproven": [f"{c['claim']} {c['node']}".strip() for c in claims if c["verdict"] == "unproven"],
        "seconds": round(time.monotonic() - began, 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def plan(runs: int, faults: int, seed: int) -> list[tuple[str, bool]]:
    """Load and fault of each run: loads drawn at random for healthy runs, in turn for faulty ones."""
    dice, names = random.Random(seed), list(LOADS)
    return [(dice.choice(names), False) for _ in range(runs)] + [
        (names[i % len(names)], True) for i in range(faults)
    ]


def table(rows: list[dict[str, Any]]) -> None:
    """Verdicts by load."""
    print(f"\n{'lab':10}{'beside':18}{'runs':>5}{'pass':>6}{'unproven':>10}{'fail':>6}{'seconds':>14}")
    groups: dict[tuple[bool, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["fault"], row["load"]].append(row)
    for (fault, load), members in sorted(groups.items()):
        counts = {v: sum(m["verdict"] == v for m in members) for v in ("pass", "unproven", "fail")}
        seconds = sorted(m["seconds"] for m in members)
        print(
            f"{'rail slow' if fault else 'healthy':10}{load:18}{len(members):5}{counts['pass']:6}{counts['unproven']:10}"
            f"{counts['fail']:6}{seconds[0]:7.0f} – {seconds[-1]:.0f}"
        )
    healthy = [row for row in rows if not row["fault"]]
    faulty = [row for row in rows if row["fault"]]
    named = [row for row in faulty if row["culprits"] == [f"{RAIL[0]} rail {RAIL[1]}"]]
    share = sum(row["verdict"] == "unproven" for row in healthy) / max(1, len(healthy))
    print(f"\nhealthy: {sum(row['verdict'] == 'fail' for row in healthy)} of {len(healthy)} fail (bar 0), "
          f"{share:.0%} unproven (bar 10 %)")  # fmt: skip
    print(f"one rail at half its rate: it and only it is blamed in {len(named)} of {len(faulty)}")
    for row in rows:
        if row["fault"] and row not in named:
            print(f"  beside {row['load']}: {row['verdict']}, blamed {row['culprits'] or 'nobody'}")
        if not row["fault"] and row["verdict"] != "pass":
            print(
                f"  healthy beside {row['load']}: {row['verdict']}: {', '.join([*row['failed'], *row['unproven']][:8])}"
            )


def main() -> None:
    """Builds, validates, prints, destroys."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--faults", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave the stacks")
    args = parser.parse_args()
    rows = []
    if args.record and args.record.exists():
        rows = [json.loads(line) for line in args.record.read_text().splitlines()]
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, {time.strftime('%Y-%m-%d')}, seed {args.seed}",
        flush=True,
    )
    for stack, nodes, spares in ((STACK, 4, 1), (SECOND, 2, 0)):
        spec(stack, nodes, spares)
        code, made = railbed("up", stack=stack)
        print(f"{stack}: {made.get('validate', {}).get('verdict', made)} ({code})", flush=True)
    try:
        for load, fault in plan(args.runs, args.faults, args.seed)[len(rows) :]:
            if fault:
                act("lab", "fault", "inject", "rail-slow", *RAIL, "--percent", PERCENT)
            rows.append(validate(load, fault=fault))
            if fault:
                act("lab", "fault", "clear")
            print(json.dumps(rows[-1]), flush=True)
            if args.record:
                with args.record.open("a") as sink:
                    sink.write(json.dumps(rows[-1]) + "\n")
        table(rows)
    finally:
        if not args.keep:
            for stack in (STACK, SECOND):
                act("destroy", "--yes", "--end-jobs", stack=stack)
                (ROOT / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
