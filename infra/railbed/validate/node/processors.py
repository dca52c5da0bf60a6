"""Clocks, idle states and huge pages of the processors: read, and with ``--set`` set.

Each setting is read only where the kernel offers it: a virtual machine's host may keep clocks and idle states to itself.
Python 3.9, standard library only; role `processors` starts it by itself at every boot.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field
from typing import Optional

POLICIES = "sys/devices/system/cpu/cpufreq"
"""One folder for each group of CPUs with one clock (docs.kernel.org/admin-guide/pm/cpufreq.html)."""
CPUS = "sys/devices/system/cpu"
"""``cpuN/cpuidle/stateM``: exit latency in microseconds, and whether it is disabled (admin-guide/pm/cpuidle.html)."""
HUGE_PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
"""The chosen word stands in brackets (admin-guide/mm/transhuge.html)."""
NUMA_BALANCING = "proc/sys/kernel/numa_balancing"


@dataclass
class Seen:
    """What the kernel shows."""

    governors: dict[str, str] = field(default_factory=dict)
    """Group of CPUs → its governor."""
    deepest_us: dict[str, int] = field(default_factory=dict)
    """CPU → exit latency of the deepest idle state that it may enter."""
    huge_pages: Optional[str] = None
    numa_balancing: Optional[str] = None

    @property
    def silent(self) -> bool:
        """Neither clocks nor idle states are this kernel's."""
        return not self.governors and not self.deepest_us


def _names(folder: str, pattern: str) -> list[str]:
    return (
        sorted(name for name in os.listdir(folder) if re.fullmatch(pattern, name))
        if os.path.isdir(folder)
        else []
    )


def _line(path: str) -> Optional[str]:
    try:
        with open(path) as file:
            return file.read(4096).strip()
    except OSError:
        return None


def _states(root: str) -> list[tuple[str, str, int]]:
    """CPU, folder and exit latency in microseconds of every idle state."""
    found = []
    base = os.path.join(root, CPUS)
    for cpu in _names(base, r"cpu\d+"):
        for state in _names(os.path.join(base, cpu, "cpuidle"), r"state\d+"):
            folder = os.path.join(base, cpu, "cpuidle", state)
            latency = _line(os.path.join(folder, "latency"))
            if latency is not None and latency.isdigit():
                found.append((cpu, folder, int(latency)))
    return found


def inspect(root: str) -> Seen:
    """Everything that the kernel offers."""
    seen = Seen(numa_balancing=_line(os.path.join(root, NUMA_BALANCING)))
    for policy in _names(os.path.join(root, POLICIES), r"policy\d+"):
        governor = _line(os.path.join(root, POLICIES, policy, "scaling_governor"))
        if governor is not None:
            seen.governors[policy] = governor
    for cpu, folder, latency_us in _states(root):
        off = _line(os.path.join(folder, "disable")) == "1"
        seen.deepest_us[cpu] = max(seen.deepest_us.get(cpu, 0), 0 if off else latency_us)
    chosen = re.search(r"\[(\w+)\]", _line(os.path.join(root, HUGE_PAGES)) or "")
    seen.huge_pages = chosen[1] if chosen else None
    return seen


def wrong(seen: Seen, governor: str, idle_latency_us: int, huge_pages: str) -> list[str]:
    """What is otherwise than it should be; what the kernel does not offer is not."""
    found = []
    other = sorted({name for name in seen.governors.values() if name != governor})
    if other:
        count = sum(name != governor for name in seen.governors.values())
        found.append(
            f"governor {', '.join(other)} on {count} of {len(seen.governors)} clocks, not {governor}"
        )
    deep = {cpu: latency for cpu, latency in seen.deepest_us.items() if latency > idle_latency_us}
    if deep:
        worst = max(deep.values())
        found.append(
            f"{len(deep)} of {len(seen.deepest_us)} CPUs may enter idle states that take {worst} µs to leave"
        )
    if seen.huge_pages not in (None, huge_pages):
        found.append(f"transparent huge pages are {seen.huge_pages}, not {huge_pages}")
    if seen.numa_balancing not in (None, "0"):
        found.append("automatic NUMA balancing is on")
    return found


def _write(path: str, value: str, refused: list[str]) -> None:
    if _line(path) == value:
        return
    try:
        with open(path, "w") as file:
            file.write(value)
    except OSError as failed:
        refused.append(f"{path} does not take {value}: {failed.strerror or failed}")


def settle(root: str, governor: str, idle_latency_us: int, huge_pages: str) -> list[str]:
    """Sets all of it but NUMA balancing, which is a sysctl; gives what the kernel refused."""
    refused: list[str] = []
    for policy in _names(os.path.join(root, POLICIES), r"policy\d+"):
        _write(os.path.join(root, POLICIES, policy, "scaling_governor"), governor, refused)
    for _, folder, latency_us in _states(root):
        if latency_us > idle_latency_us:
            _write(os.path.join(folder, "disable"), "1", refused)
    if inspect(root).huge_pages not in (None, huge_pages):
        _write(os.path.join(root, HUGE_PAGES), huge_pages, refused)
    return refused


def main() -> int:
    """Prints what there is as JSON. What the kernel refused is named on stderr and judged by `node.processors`."""
    parser = argparse.ArgumentParser(description="Clocks, idle states and huge pages of the processors.")
    parser.add_argument("--root", default="/", help="where the machine's files begin")
    parser.add_argument("--set", action="store_true", help="set them")
    parser.add_argument("--governor", default="performance")
    parser.add_argument("--idle-latency-us", type=int, required=True)
    parser.add_argument("--huge-pages", default="madvise")
    given = parser.parse_args()
    if given.set:
        for why in settle(given.root, given.governor, given.idle_latency_us, given.huge_pages):
            print(why, file=sys.stderr)
    print(json.dumps(asdict(inspect(given.root))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
