"""Measures the lab: bring-up by stage, rail and collective efficiency of the shaped line, and their spread.

usage: benchmarks/lab.py [--runs 3] [--keep]

Builds a stack of its own (`bench`), validates it several times and destroys it. Every figure is printed as a ratio: to
the shaped line for rates, to the budget of the design for times. Nothing is asserted: a shared machine's clock decides.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STACK = "bench"
RAILBED = str(Path(sys.prefix) / "bin" / "railbed")
BUDGET_S = {
    "hosts": 25.0,
    "converge": 140.0,
    "acceptance": 110.0,
    "nothing to change": 60.0,
    "full validation": 180.0,
}
"""Seconds to reach with warm caches, from the design's table of figures."""


def railbed(*words: str) -> tuple[dict[str, Any], float]:
    """One command with --json: its document and its wall seconds. Ends the benchmark where it fails."""
    start = time.monotonic()
    done = subprocess.run(
        [RAILBED, *words, "--stack", STACK, "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(
            f"{' '.join(words)} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    return json.loads(done.stdout), time.monotonic() - start


def times(rows: dict[str, float]) -> None:
    """Seconds beside their budget."""
    print(f"{'stage':22}{'seconds':>9}{'budget':>9}{'ratio':>8}")
    for name, seconds in rows.items():
        budget = BUDGET_S.get(name)
        ratio = f"{budget:9.0f}{seconds / budget:8.2f}" if budget else ""
        print(f"{name:22}{seconds:9.1f}{ratio}")


def rates(reports: list[dict[str, Any]], bounds: dict[str, float]) -> None:
    """Share of the line (the claim's bound in the plan) over all runs, its worst, and the spread between runs."""
    seen: dict[str, list[float]] = defaultdict(list)
    for report in reports:
        for claim in report["claims"]:
            name, bound = claim["claim"], bounds.get(claim["claim"])
            if (
                isinstance(claim["measured"], (int, float))
                and bound
                and name.startswith(("fabric.", "collective."))
            ):
                seen["fabric.rail.*" if name.startswith("fabric.rail.") else name].append(
                    claim["measured"] / bound
                )
    print(f"{'share of the line':30}{'mean':>8}{'worst':>8}{'best':>8}{'spread':>8}{'n':>6}")
    for name, shares in seen.items():
        mean = statistics.fmean(shares)
        spread = (max(shares) - min(shares)) / mean
        print(f"{name:30}{mean:8.4f}{min(shares):8.4f}{max(shares):8.4f}{spread:8.2%}{len(shares):6}")


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="full validations to compare (default 3)")
    parser.add_argument("--keep", action="store_true", help="leave the stack up")
    chosen = parser.parse_args()
    stack_file = ROOT / f"Pulumi.{STACK}.yaml"
    shutil.copy(ROOT / "examples/lab-cluster.yaml", stack_file)
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "",
    )
    print(
        f"{time.strftime('%Y-%m-%d')}  {platform.system()} {platform.release()}  {model}  {os.cpu_count()} cores"
    )
    try:
        first, up_s = railbed("up")
        again, again_s = railbed("up")
        reports, seconds = [first["validate"]], []
        for _ in range(chosen.runs - 1):
            report, took = railbed("validate")
            reports.append(report)
            seconds.append(took)
        stages = {**first["timings"], "up, all of it": up_s, "nothing to change": again_s}
        if seconds:
            stages["full validation"] = statistics.median(seconds)
        times(stages)
        print(f"modules on a node, converged run: {again['converge']['modules_per_node']} (at most 40)")
        wanted = [(one["id"], one["expectation"]) for one in railbed("plan")[0]["claims"]]
        rates(
            reports,
            {
                name: expected["bound"]
                for name, expected in wanted
                if expected and expected["unit"] in ("Gb/s", "GB/s")
            },
        )
    finally:
        if not chosen.keep:
            subprocess.run(
                [RAILBED, "destroy", "--yes", "--end-jobs", "--stack", STACK], cwd=ROOT, check=False
            )
            stack_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
