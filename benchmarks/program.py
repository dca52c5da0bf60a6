"""Measures each cloud's program under mocks at 1,000 and 10,000 nodes: seconds, memory and resources.

usage: benchmarks/program.py [KIND…]

Each figure is of a fresh process, beyond what importing the provider's SDK costs: a program of two nodes runs first. The
members, their addresses and host keys come from the fake provider of the conformance suite, whose cost is in the figures.
Nothing is asserted, nothing is asked of a cloud. Ratios are to the 1,000 nodes of the same run, and to what is aimed at.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "policy")]

from tests.program.clouds import cases  # noqa: E402 - the tests are no package that is installed

SIZES = (1_000, 10_000)
AIM_S, AIM_MB, AIM_RESOURCES = 2.0, 200.0, 10


class Patch:
    """What the views need of pytest's monkeypatch; this process ends, so nothing is put back."""

    def setattr(self, target: Any, name: Any, value: Any = None) -> None:
        if isinstance(target, str):
            import pkgutil

            where, _, attribute = target.rpartition(".")
            setattr(pkgutil.resolve_name(where), attribute, name)
        else:
            setattr(target, name, value)

    def setenv(self, name: str, value: str) -> None:
        os.environ[name] = value


def main() -> None:
    """Measures every cloud, or those that are named."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    print(
        f"{'':20}{'nodes':>7}{'s':>8}{'CPU s':>8}{'output s':>10}{'MB':>7}{'resources':>11}{'bytes a node':>14}"
    )
    for kind in sys.argv[1:] or sorted(cases.views()):
        service = "hosts" if kind in SMALL_FABRIC else "cluster"
        few, many = (of_process(kind, service, nodes) for nodes in SIZES)
        for one in (few, many):
            print(
                f"{kind + ' ' + service:20}{one['nodes']:7}{one['s']:8.2f}{one['cpu_s']:8.2f}{one['output_s']:10.2f}"
                f"{one['mb']:7.0f}{one['resources']:11}{one['bytes'] / one['nodes']:14.0f}"
            )
        ratios = {key: many[key] / max(few[key], 0.01) for key in ("s", "cpu_s", "output_s", "mb")}
        print(
            f"{'':20}{'ratio':>7}{ratios['s']:7.1f}x{ratios['cpu_s']:7.1f}x{ratios['output_s']:9.1f}x{ratios['mb']:6.1f}x"
            f"{many['resources'] - few['resources']:+11}   to aim: {many['cpu_s'] / AIM_S:.2f} of {AIM_S:g} s CPU, "
            f"{many['mb'] / AIM_MB:.2f} of {AIM_MB:g} MB, +{AIM_RESOURCES} resources",
            flush=True,
        )


SMALL_FABRIC = ("azure",)
"""Clouds where no fabric has a thousand nodes: one InfiniBand domain of Azure is a scale set of at most 300."""


def of_process(kind: str, service: str, nodes: int) -> dict[str, Any]:
    """The figures of a fresh process."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", kind, service, str(nodes)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{kind} with {nodes} nodes: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measured(kind: str, service: str, nodes: int) -> dict[str, Any]:
    """Runs the program twice: with two nodes, so that all that it imports is there, then with ``nodes``."""
    with tempfile.TemporaryDirectory() as folder:
        cases.checkout(Path(folder), _Chdir())
        view = cases.views()[kind]
        cases.run(view, plan_of(kind, service, 2), Patch())
        plan = plan_of(kind, service, nodes)
        members = cases.members(plan)
        gc.collect()
        before_mb, start, cpu = rss_mb(), time.perf_counter(), time.process_time()
        case = cases.run(view, plan, Patch(), members)
        s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        asyncio.run(encoded(case.run.contract))
        output_s = time.perf_counter() - start
        return {
            "nodes": nodes, "s": s, "cpu_s": cpu_s, "output_s": output_s, "mb": peak_mb - before_mb,
            "resources": len(case.run.declared), "bytes": len(json.dumps(case.run.contract)),
        }  # fmt: skip


def plan_of(kind: str, service: str, nodes: int) -> Any:
    """The suite's own small cluster with more nodes; for ``hosts`` without fabric, scheduler and filesystem."""
    data = cases.small(kind)
    data["pools"][0].update(nodes=nodes, spares=0)
    if service == "hosts":
        data.update(service="hosts", scheduler="none", fabric=None, filesystems=[])
        data["pools"][0]["capacity"] = {"kind": "on_demand"}
    return cases.planned(data)


async def encoded(contract: dict[str, Any]) -> None:
    """What the SDK does with the stack's output before the engine gets it."""
    from pulumi.runtime import rpc

    await rpc.serialize_properties({"contract": contract}, {})


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


class _Chdir:
    """``chdir`` as cases.checkout calls it."""

    def chdir(self, folder: Path) -> None:
        os.chdir(folder)


if __name__ == "__main__":
    main()
