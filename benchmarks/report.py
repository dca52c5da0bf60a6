"""Measures how long a report is written, and how large its files are.

usage: benchmarks/report.py [--nodes 1000 2000 4000]

The report is built, with 38 verdicts a node; its pictures are drawn. The baseline is the same report as plain JSON (json.dumps),
in the same run. Processor seconds of this process. Nothing is asserted: a shared machine's clock decides.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.example_clusters import cluster_of  # noqa: E402
from tests.support.large_report import large  # noqa: E402

from railbed.contract import Contract  # noqa: E402
from railbed.validate import exports, html_report, records  # noqa: E402
from railbed.validate.records import Report  # noqa: E402

PAGE_BUDGET_MB = 5.0


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nodes", type=int, nargs="+", default=[1000, 2000, 4000])
    given = options.parse_args()
    contract = cluster_of("metal-cluster")
    print("  nodes  verdicts  as         processor s   × plain JSON       MB")
    for count in given.nodes:
        _measure(*large(contract, count))


def _measure(report: Report, cluster: Contract) -> None:
    """The rows of one report."""
    plain_s, _ = _timed(lambda: json.dumps([c.model_dump(mode="json") for c in report.claims]))
    for name, made in (
        ("page", lambda: html_report.render(report, cluster)),
        ("JUnit", lambda: records.junit(report)),
        ("CTRF", lambda: exports.ctrf(report)),
        ("metrics", lambda: exports.openmetrics(report)),
    ):
        seconds, size = _timed(made)
        note = f"  {size / 1e6 / PAGE_BUDGET_MB:.2f} of its budget" if name == "page" else ""
        print(
            f"{len(cluster.nodes):7d} {len(report.claims):9d}  {name:8s} {seconds:13.2f} {seconds / plain_s:14.1f} "
            f"{size / 1e6:8.2f}{note}"
        )


def _timed(work: Callable[[], str | bytes]) -> tuple[float, int]:
    start = time.process_time()
    made = work()
    return time.process_time() - start, len(made)


if __name__ == "__main__":
    main()
