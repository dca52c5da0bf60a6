"""Measures how long one node is observed, and how long the answers of a cluster are read and mapped.

usage: benchmarks/observe.py [--nodes 4000] [--repeat 3]

The node is a tree of an HGX H100 as the tests build it (224 CPUs, 12 RDMA devices), without nvidia-smi. In the answers of a
cluster UUIDs, GIDs, serial numbers and memory are each node's own. Times of a cluster are of the processor: others work on the
machine too. The baseline is parsing the same answers as plain JSON, in the same run. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pydantic import TypeAdapter  # noqa: E402
from tests.support.node_trees import Driver, Tree, kind, wanted  # noqa: E402

from railbed.effects import node_json  # noqa: E402
from railbed.hardware import Document, mapped, read  # noqa: E402
from railbed.validate import on_node  # noqa: E402
from railbed.validate.node import observe  # noqa: E402

NODE_BUDGET_S, CLUSTER_BUDGET_S = 1.0, 10.0
DOCUMENT = TypeAdapter(Document)


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nodes", type=int, default=4000)
    options.add_argument("--repeat", type=int, default=3)
    given = options.parse_args()
    one = kind("hgx-h100-ib")
    with TemporaryDirectory() as folder:
        tree = Tree(Path(folder), one)
        answer = json.dumps(observe.observe(Driver(folder, tree.table)))
        program = [sys.executable, "-IB", str(_laid_out(Path(folder))), "--root", folder]
        node_s = min(
            _timed(lambda: subprocess.run(program, check=True, capture_output=True))
            for _ in range(given.repeat)
        )
    want = wanted(one)

    answers = [_of_node(answer, number) for number in range(given.nodes)]

    def whole() -> None:
        for one in answers:
            assert not mapped(read(node_json.read(one, DOCUMENT, "node")), want).unproven

    cluster_s = min(_timed(whole, time.process_time) for _ in range(given.repeat))
    plain_s = min(
        _timed(lambda: [json.loads(one) for one in answers], time.process_time) for _ in range(given.repeat)
    )
    print(f"one answer: {len(answer) / 1000:.1f} kB")
    print(f"observe a node                    {node_s:8.3f} s   {node_s / NODE_BUDGET_S:6.2f} of its budget")
    print(f"parse {given.nodes} answers as JSON (baseline) {plain_s:6.3f} s")
    print(
        f"read and map {given.nodes} answers      {cluster_s:8.3f} s   {cluster_s / CLUSTER_BUDGET_S:6.2f} of its budget, "
        f"{cluster_s / plain_s:.1f} × baseline"
    )


def _laid_out(folder: Path) -> Path:
    """The program as it lies on a node: without the packages around it."""
    place = folder / "bundle" / on_node.PACKAGE
    place.mkdir(parents=True)
    for name in on_node.EMPTY:
        (folder / "bundle" / name).touch()
    for path in on_node.SUITE.glob("*.py"):
        (place / path.name).write_bytes(path.read_bytes())
    return place / "observe.py"


def _of_node(answer: str, number: int) -> str:
    """The answer with what no two nodes have alike."""
    own = f"{number:04x}"
    return (
        answer.replace("-0000-0000-0000-", f"-{own}-0000-0000-")
        .replace("fe80:0000:0000:0000:a288:", f"fe80:0000:0000:0000:{own}:")
        .replace('"serial": "S0', f'"serial": "S{own}')
        .replace("2113389384 kB", f"{2113389384 + number} kB")
    )


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


if __name__ == "__main__":
    main()
