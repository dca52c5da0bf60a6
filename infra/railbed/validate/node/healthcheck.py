"""Fast health of one node: the checks that the on-node suite shares with it. One file, standard library only.

As a program it backs the scheduler's health check: it prints one reason line and exits 1 when the node is
broken, and is silent (exit 0) otherwise. What could not be looked at is not called broken: exit 0, told on
stderr.

It reads /etc/railbed/expectations.json (``RAILBED_EXPECTATIONS`` names another file)::

    {"node": "h100-0", "gpus": 8, "gpu_model": "NVIDIA H100 80GB HBM3", "driver": "570.124.06",
     "rails": [{"index": 0, "netdev": "rail0", "address": "10.91.0.11/24", "mtu": 9000}],
     "mounts": [{"path": "/scratch", "kind": "moosefs"}]}

``RAILBED_ROOT`` puts another folder in front of /sys, /dev and /proc, for tests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

EXPECTATIONS_FILE = "/etc/railbed/expectations.json"
COMMAND_TIMEOUT_S = 10
NOT_FOUND = 127
TIMED_OUT = 124
LIBRARY_MISMATCH = 18
"""Exit status of nvidia-smi when driver and library differ (NVML_ERROR_LIB_RM_VERSION_MISMATCH in nvml.h)."""


@dataclass(frozen=True)
class Finding:
    """What one check saw. ``parts`` name what is broken: ``gpu 5``, ``rail 3``, ``driver``, ``storage``, …"""

    verdict: str
    reason: str
    measured: Union[float, str, None] = None
    unit: str = ""
    expected: Union[float, str, None] = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """How a command ended; ``code`` is 127 when it is not installed and 124 when its time ran out."""

    code: int
    out: str
    err: str

    @property
    def first_line(self) -> str:
        """The first thing that it said."""
        lines = (self.out + "\n" + self.err).splitlines()
        return next((line.strip() for line in lines if line.strip()), "nothing")


class Probe:
    """How a check looks at the node it runs on."""

    def __init__(self, root: str = "") -> None:
        self.root = root

    def run(self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S) -> Answer:
        """Runs a command to its end."""
        try:
            done = subprocess.run(
                list(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=timeout_s, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            return Answer(NOT_FOUND, "", f"{argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return Answer(TIMED_OUT, "", f"{argv[0]}: no answer within {timeout_s:g} s")
        return Answer(done.returncode, done.stdout, done.stderr)

    def read(self, path: str) -> Optional[str]:
        """Text of a file; None where there is none, or where the kernel refuses to read it."""
        try:
            with open(self.root + path, errors="replace") as source:
                return source.read()
        except OSError:
            return None

    def names(self, folder: str) -> list[str]:
        """Names in a folder; empty where there is none."""
        try:
            return sorted(os.listdir(self.root + folder))
        except OSError:
            return []


Check = Callable[[Probe, dict[str, Any]], Finding]


def _no_answer(answer: Answer, expected: Union[float, str]) -> Optional[Finding]:
    """Why nvidia-smi told nothing, if it could not even be asked."""
    if answer.code == NOT_FOUND:
        return Finding("unproven", "nvidia-smi is not installed", expected=expected)
    if answer.code == TIMED_OUT:
        return Finding("unproven", f"nvidia-smi: {answer.err}", expected=expected)
    return None


LOST = "GPU is lost"
"""What nvidia-smi says of a GPU that fell off the bus; only `-L` goes on with the next one."""


def _listed(text: str) -> dict[int, str]:
    """Index → model name, from `nvidia-smi -L`."""
    return {int(i): name for i, name in re.findall(r"^GPU (\d+): (.+?) \(UUID: ", text, re.M)}


def _missing(probe: Probe, listed: dict[int, str], count: int) -> list[int]:
    """Numbers of the GPUs that do not answer.

    Indices close up behind a GPU that is gone; device files and the driver's minor numbers keep their place.
    """
    files = {int(m[1]) for m in (re.fullmatch(r"nvidia(\d+)", name) for name in probe.names("/dev")) if m}
    minors = re.findall(r"<minor_number>(\d+)</minor_number>", probe.run(["nvidia-smi", "-q", "-x"]).out)
    there = {int(minor) for minor in minors} if len(minors) == len(listed) else set(listed)
    return sorted((files if len(files) >= count else set(range(count))) - there)


def gpus(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU is listed, of the expected model and memory. A missing one is named."""
    count, model = int(want["gpus"]), str(want["gpu_model"])
    answer = probe.run(["nvidia-smi", "-L"])
    silent = _no_answer(answer, count)
    if silent:
        return silent
    listed = _listed(answer.out)
    if not listed and answer.code != 0:
        told = f"blocked by node.driver: nvidia-smi says {answer.first_line!r}"
        return Finding("unproven", told, expected=count)
    wrong = sorted(i for i, name in listed.items() if model not in name)
    measured = len(listed) - len(wrong)
    if len(listed) != count:
        missing = _missing(probe, listed, count)
        lost = next((line.strip() for line in answer.out.splitlines() if LOST in line), "")
        told = f"{len(listed)} of {count} GPUs listed"
        told += f"; missing: {', '.join(f'gpu {i}' for i in missing)}" if missing else ""
        told += f" ({lost})" if lost else ""
        return Finding("fail", told, measured, "GPUs", count, tuple(f"gpu {i}" for i in missing) or ("gpu",))
    if wrong:
        names = ", ".join(f"gpu {i} is {listed[i]!r}" for i in wrong)
        told = f"not {model!r}: {names}"
        return Finding("fail", told, measured, "GPUs", count, tuple(f"gpu {i}" for i in wrong))
    return _memory(probe, want)


def _memory(probe: Probe, want: dict[str, Any]) -> Finding:
    count, wanted = int(want["gpus"]), want.get("gpu_memory_mib")
    answer = probe.run(["nvidia-smi", "--query-gpu=index,memory.total", "--format=csv,noheader,nounits"])
    sizes = {int(i): int(mib) for i, mib in re.findall(r"^(\d+), (\d+)\s*$", answer.out, re.M)}
    if wanted and len(sizes) != count:
        told = f"nvidia-smi named the memory of {len(sizes)} GPUs: {answer.first_line!r}"
        return Finding("unproven", told, None, "GPUs", count)
    less = sorted(i for i, mib in sizes.items() if wanted and mib < int(wanted))
    if less:
        told = ", ".join(f"gpu {i} has {sizes[i]} MiB" for i in less) + f", not {wanted}"
        return Finding("fail", told, count - len(less), "GPUs", count, tuple(f"gpu {i}" for i in less))
    return Finding("pass", f"{count} × {want['gpu_model']} answer", count, "GPUs", count)


def _driver_rows(probe: Probe) -> tuple[Answer, dict[str, str]]:
    """What nvidia-smi says of the driver, and index → version of the GPUs that answer."""
    query = ["nvidia-smi", "--query-gpu=index,driver_version", "--format=csv,noheader"]
    answer = probe.run(query)
    if LOST in answer.out + answer.err:
        alive = ",".join(str(index) for index in _listed(probe.run(["nvidia-smi", "-L"]).out))
        answer = probe.run([*query, f"--id={alive}"]) if alive else answer
    return answer, dict(re.findall(r"^(\d+), ([0-9][0-9.]*)\s*$", answer.out, re.M))


def driver(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU that answers runs the locked driver version, and its library is of that version too."""
    expected = str(want["driver"])
    answer, rows = _driver_rows(probe)
    silent = _no_answer(answer, expected)
    if silent:
        return silent
    other = {index: version for index, version in rows.items() if version != expected}
    measured = " | ".join(sorted(set(rows.values()))) or None
    if other:
        versions = " | ".join(sorted(set(other.values())))
        told = f"driver {versions} on {len(other)} of {len(rows)} GPUs, not {expected}"
        return Finding("fail", told, measured, "", expected, ("driver",))
    if answer.code == LIBRARY_MISMATCH or "version mismatch" in answer.out + answer.err:
        told = "the loaded driver and its library are of different versions: " + answer.first_line
        return Finding("fail", told, measured, "", expected, ("driver",))
    if not rows:
        if "couldn't communicate" in answer.out + answer.err:
            return Finding("fail", "nvidia-smi cannot reach the driver", None, "", expected, ("driver",))
        told = f"nvidia-smi named no driver version: {answer.first_line!r}"
        return Finding("unproven", told, expected=expected)
    return Finding("pass", f"driver {expected} on {len(rows)} GPUs", measured, "", expected)


def _nic_problems(probe: Probe, rail: dict[str, Any], addresses: dict[str, list[str]]) -> list[str]:
    name = rail["netdev"]
    base = f"/sys/class/net/{name}"
    state = (probe.read(f"{base}/operstate") or "").strip()
    if not state:
        return [f"{name} does not exist"]
    problems = []
    # "unknown" is what drivers without link detection report; the carrier then tells.
    carrier = (probe.read(f"{base}/carrier") or "").strip()
    if state not in ("up", "unknown") or carrier != "1":
        problems.append(f"{name} is {state}, {'with' if carrier == '1' else 'no'} carrier")
    mtu = (probe.read(f"{base}/mtu") or "").strip()
    if mtu != str(rail["mtu"]):
        problems.append(f"{name} has MTU {mtu or 'unknown'}, not {rail['mtu']}")
    if rail["address"] and rail["address"] not in addresses.get(name, []):
        held = ", ".join(addresses.get(name, [])) or "no address"
        problems.append(f"{name} has {held}, not {rail['address']}")
    return problems


def nics(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every rail's interface exists, is up with carrier, and has its address and MTU."""
    rails = want["rails"]
    expected = len(rails)
    if not rails or any(not rail["netdev"] for rail in rails):
        return Finding("unproven", "nobody published what this machine's rail interfaces are called")
    answer = probe.run(["ip", "-j", "-4", "address", "show"])
    if answer.code != 0:
        return Finding("unproven", f"`ip address` failed: {answer.first_line}", expected=expected)
    try:
        links = json.loads(answer.out or "[]")
    except ValueError:
        return Finding("unproven", "`ip -j address` printed no JSON", expected=expected)
    addresses = {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])]
        for link in links if "ifname" in link
    }  # fmt: skip
    problems = {rail["index"]: _nic_problems(probe, rail, addresses) for rail in rails}
    bad = [index for index, found in problems.items() if found]
    measured = expected - len(bad)
    if bad:
        told = "; ".join(text for index in bad for text in problems[index])
        return Finding("fail", told, measured, "NICs", expected, tuple(f"rail {index}" for index in bad))
    return Finding("pass", "every rail is up with its address and MTU", measured, "NICs", expected)


FILESYSTEM_TYPES = {"moosefs": ("fuse.mfs", "fuse mfs#"), "lustre": ("lustre",)}
"""Kind of filesystem → type in /proc/mounts, or type and head of the source; a kind that is not here may be any."""


def mounts(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every shared filesystem is mounted, with its own type, and answers."""
    # The kernel writes "#" as \043 there.
    table = [line.replace("\\043", "#").split() for line in (probe.read("/proc/mounts") or "").splitlines()]
    mounted = {row[1]: f"{row[2]} {row[0]}" for row in table if len(row) > 2}
    expected = ", ".join(m["path"] for m in want["mounts"])
    problems = []
    for mount in want["mounts"]:
        path, kinds = mount["path"], FILESYSTEM_TYPES.get(mount["kind"], ("",))
        if path not in mounted:
            problems.append(f"{path} is not mounted")
        elif not mounted[path].startswith(kinds):
            problems.append(f"{path} is {mounted[path]}, not {mount['kind']}")
        else:
            answer = probe.run(["stat", "-f", "--format=%T", path])
            if answer.code != 0:
                problems.append(f"{path} does not answer: {answer.first_line}")
    if problems:
        return Finding("fail", "; ".join(problems), expected=expected, parts=("storage",))
    return Finding("pass", "mounted and answering", expected, "", expected)


def fast_checks(want: dict[str, Any]) -> dict[str, Check]:
    """The subset that is cheap enough to run every few seconds on a node in service."""
    checks: dict[str, Check] = {}
    if want.get("gpus"):
        checks.update(gpus=gpus, driver=driver)
    if want.get("rails"):
        checks["nics"] = nics
    if want.get("mounts"):
        checks["mounts"] = mounts
    return checks


def main() -> int:
    """Prints ``<check>: <reason>; …`` and returns 1 when a check fails."""
    path = os.environ.get("RAILBED_EXPECTATIONS", EXPECTATIONS_FILE)
    try:
        with open(path) as source:
            want = json.load(source)
    except (OSError, ValueError) as unreadable:
        print(f"health unknown: {path}: {unreadable}", file=sys.stderr)
        return 0
    probe = Probe(os.environ.get("RAILBED_ROOT", ""))
    broken = []
    for name, check in fast_checks(want).items():
        finding = check(probe, want)
        if finding.verdict == "fail":
            broken.append(f"{name}: {finding.reason}")
        elif finding.verdict == "unproven":
            print(f"health unknown: {name}: {finding.reason}", file=sys.stderr)
    if broken:
        print("; ".join(broken))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
