"""Measures what Slurm's Prolog, Epilog and health check of railbed cost a job on a healthy node: the programs as role checks
installs them, uncompiled, with Debian's real nvidia-smi over the lab's mock NVML, InfiniBand rails as files, and this
machine's /proc.

usage: benchmarks/prolog.py [--runs 40]

Prints the median and the 95th percentile of wall time and processor time, beside an `nvidia-smi` alone in the same run. Nothing
is asserted: other work on the machine decides. Real GPUs answer slower than the mock.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from railbed.configure import health
from railbed.effects.lab import hardware, nvml
from railbed.effects.workspace import cache_dir
from railbed.validate import on_node
from railbed.validate.node import gpu_state

ROOT = Path(__file__).resolve().parents[1]
SMI = cache_dir() / "lab/nvidia-smi/root/usr/lib/nvidia/current/nvidia-smi"
MODEL, VERSION, GPUS, MEMORY_MIB = "NVIDIA H100 80GB HBM3", "570.124.06", 8, 81559


def installed(folder: Path) -> Path:
    """The programs where the role puts them, and nothing else of railbed."""
    package = on_node.SUITE.parents[2]
    shared = yaml.safe_load((ROOT / "roles/checks/vars/main.yml").read_text())["checks_shared"]
    for file in (*on_node.SUITE.glob("*.py"), *(package / name for name in shared)):
        copy = folder / file.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return folder / on_node.PACKAGE


def environment(folder: Path) -> dict[str, str]:
    """A node with eight GPUs of the mock and rails that are files."""
    header = next(
        Path(str(one.locate()))
        for one in importlib.metadata.files("nvidia-nvml-dev") or []
        if one.name == "nvml.h"
    )
    (folder / "build").mkdir()
    nvml.Compiler(header, folder / "build").library(VERSION, 12080).rename(folder / nvml.SONAME)
    sections = hardware.sections(hardware.description(GPUS, MODEL, MEMORY_MIB, "machine-0"))
    (folder / "gpu.ini").write_text(hardware.state(sections))
    (folder / "bin").mkdir()
    (folder / "bin/nvidia-smi").symlink_to(SMI)
    # The health check asks whether the controllers answer; here nobody else is asked.
    answering = folder / "bin/scontrol"
    answering.write_text("#!/bin/sh\necho 'Slurmctld(primary) at ctl0 is UP'\n")
    answering.chmod(0o755)
    rails = [
        {"index": i, "netdev": "", "address": "", "device": f"mlx5_{i}", "mtu": 4096, "rate_gbps": 400}
        for i in range(8)
    ]
    for rail in rails:
        port = folder / f"root/sys/class/infiniband/{rail['device']}/ports/1"
        port.mkdir(parents=True)
        (port / "state").write_text("4: ACTIVE\n")
        (port / "rate").write_text("400 Gb/sec (4X NDR)\n")
    want = {"node": "h100-0", "pool": "h100", "gpus": GPUS, "gpu_model": MODEL, "gpu_memory_mib": MEMORY_MIB,
            "driver": VERSION, "rails": rails, "health": health.settings()}  # fmt: skip
    (folder / "expectations.json").write_text(json.dumps(want))
    return {
        **os.environ, "PATH": f"{folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NVML_STATE": str(folder / "gpu.ini"),
        "LD_LIBRARY_PATH": str(folder), "RAILBED_SIM_ROOT": str(folder), "RAILBED_ROOT": str(folder / "root"),
        "RAILBED_EXPECTATIONS": str(folder / "expectations.json"), "SLURM_JOB_ID": "17", "SLURM_JOB_GPUS": "0-7",
        "SLURM_JOB_UID": "4242", "SLURMD_NODENAME": "h100-0",
    }  # fmt: skip


def timed(what: str, words: Sequence[str | Path], env: dict[str, str], runs: int) -> None:
    """Runs it so often and prints a row."""
    wall, cpu = [], []
    for _ in range(runs):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        wall.append(time.monotonic() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode or done.stderr:
            sys.exit(f"{what}: exit {done.returncode}: {done.stdout}{done.stderr}")
    row = "  ".join(
        f"{name} {at(one, 0.5):5.2f} / {at(one, 0.95):5.2f} s" for name, one in (("wall", wall), ("cpu", cpu))
    )
    print(f"{what:34} {row}")


def at(values: list[float], share: float) -> float:
    """A quantile: the smallest value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Prints the table: median / 95th percentile."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=40)
    given = options.parse_args()
    if not SMI.exists():
        sys.exit(f"{SMI} is missing: `make setup` on a machine that boots labs brings it")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs, env = installed(folder / "opt"), environment(folder)
        python = ["/usr/bin/python3", "-IB"]
        print(
            f"{given.runs} runs, median / 95th percentile; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        )
        listed = subprocess.run(gpu_state.QUERY, env=env, capture_output=True, text=True, check=True).stdout
        if len(gpu_state.listed(listed)) != GPUS:
            sys.exit(f"the mock does not list {GPUS} GPUs: {listed}")
        timed("one nvidia-smi (baseline)", gpu_state.QUERY, env, given.runs)
        timed(
            "health check (healthcheck.py)",
            [*python, programs / "healthcheck.py", "--report"],
            env,
            given.runs,
        )
        timed("start of a job (prolog.py)", [*python, programs / "prolog.py"], env, given.runs)
        timed("end of a job (epilog.py)", [*python, programs / "epilog.py"], env, given.runs)


if __name__ == "__main__":
    main()
