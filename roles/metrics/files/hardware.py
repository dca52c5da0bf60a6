#!/usr/bin/python3
"""Counters of RDMA cards, NVLink and PCIe, as a text file of the Prometheus node exporter. Standard library only.

usage: hardware.py FILE

What a node does not have is said to be absent and has no samples: a zero would be a measurement. Exit status 0: the file
was written; also where a part could not be read, which the file then says.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

SYS = Path("/sys")
ASK_TIMEOUT_S = 20
"""Of one nvidia-smi; one that hangs must not outlast the timer's period."""
PREFIX = "railbed"
NVIDIA = "0x10de"
CLASSES = {"0x0300": "gpu", "0x0302": "gpu", "0x0200": "nic", "0x0207": "nic", "0x0108": "nvme"}
"""PCI base class and subclass (PCI Code and ID Assignment Specification): display and 3D controller, Ethernet and
InfiniBand controller, non-volatile memory controller."""
HELP = {
    "hardware_present": ("gauge", "Whether the node has any of this kind; without it there are no other samples of it."),
    "hardware_unread": ("gauge", "1 where the kind could not be read this time."),
    "rdma_port_state": ("gauge", "Logical state of the port; 4 is active."),
    "rdma_port_physical_state": ("gauge", "Physical state of the port; 5 is link up."),
    "rdma_port_rate_gbps": ("gauge", "Rate of the port in Gb/s."),
    "rdma_port_counter_total": ("counter", "The kernel's counters; port_xmit_data and port_rcv_data count 4 bytes."),
    "rdma_port_hw_counter_total": ("counter", "Counters of the card's own, by the names that its driver gives them."),
    "pcie_link_width": ("gauge", "Lanes in use."),
    "pcie_link_width_max": ("gauge", "Lanes that the device can use."),
    "pcie_link_speed_gt_per_s": ("gauge", "Transfers per lane in GT/s."),
    "pcie_link_speed_max_gt_per_s": ("gauge", "The most that the device can do, in GT/s."),
    "pcie_errors_total": ("counter", "Advanced error reporting of the device."),
    "nvlink_link_gbytes_per_s": ("gauge", "Rate of the link in GB/s, one direction; 0 where it is inactive."),
    "nvlink_errors_total": ("counter", "Errors of the link since the driver was loaded."),
    "nvlink_bytes_total": ("counter", "Payload of the link."),
}  # fmt: skip
"""Metric → type and meaning."""
LINK = re.compile(r"^\s*Link (\d+): (.*)$")
KIB = 1024


class Sample(NamedTuple):
    """One value of a metric."""

    metric: str
    labels: dict[str, str]
    value: float


class Unread(Exception):
    """A part could not be read."""


def read(path: Path) -> str:
    """The file's text; empty where there is none, or its driver does not answer."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def number(text: str) -> Iterator[float]:
    """The number that a text begins with, if it does: ``16.0 GT/s PCIe``, ``400 Gb/sec (4X NDR)``, ``4: ACTIVE``."""
    found = re.match(r"\d+(\.\d+)?", text)
    if found:
        yield float(found[0])


def rdma(root: Path) -> Iterator[Sample]:
    """Every port of every RDMA device below ``root`` (/sys)."""
    for port in sorted(root.glob("class/infiniband/*/ports/*")):
        labels = {"device": port.parent.parent.name, "port": port.name}
        for name, metric in (
            ("state", "rdma_port_state"), ("phys_state", "rdma_port_physical_state"), ("rate", "rdma_port_rate_gbps"),
        ):  # fmt: skip
            for value in number(read(port / name)):
                yield Sample(metric, labels, value)
        for folder, metric in (
            ("counters", "rdma_port_counter_total"),
            ("hw_counters", "rdma_port_hw_counter_total"),
        ):
            for counter in sorted((port / folder).glob("*")):
                # A period of the card's own sampling, and not a count.
                if counter.name != "lifespan":
                    for value in number(read(counter)):
                        yield Sample(metric, {**labels, "counter": counter.name}, value)


def pcie(root: Path) -> Iterator[Sample]:
    """Links and errors of GPUs, network cards and NVMe drives; virtual functions have no link of their own."""
    for device in sorted(root.glob("bus/pci/devices/*")):
        vendor, kind = read(device / "vendor"), CLASSES.get(read(device / "class")[:6], "")
        if not kind or (kind == "gpu" and vendor != NVIDIA) or (device / "physfn").exists():
            continue
        labels = {"address": device.name, "kind": kind}
        for name, metric in (
            ("current_link_width", "pcie_link_width"), ("max_link_width", "pcie_link_width_max"),
            ("current_link_speed", "pcie_link_speed_gt_per_s"), ("max_link_speed", "pcie_link_speed_max_gt_per_s"),
        ):  # fmt: skip
            for value in number(read(device / name)):
                # Without a link the kernel says 0 or, for a device that was never asked, 255 lanes.
                if value not in (0, 255):
                    yield Sample(metric, labels, value)
        for severity in ("correctable", "nonfatal", "fatal"):
            total = re.search(r"^TOTAL_ERR_\w+ (\d+)$", read(device / f"aer_dev_{severity}"), re.M)
            if total:
                yield Sample("pcie_errors_total", {**labels, "severity": severity}, float(total[1]))


def nvlink(_root: Path) -> Iterator[Sample]:
    """State and errors of every NVLink, as nvidia-smi tells. Raises Unread where it fails."""
    for gpu, link, said in _links("--status"):
        for rate in [0.0] if "inactive" in said else number(said):
            yield Sample("nvlink_link_gbytes_per_s", {"gpu": gpu, "link": link}, rate)
    for gpu, link, said in _links("--errorcounters"):
        counter, _, value = said.rpartition(": ")
        kind = counter.replace(" Errors", "").replace(" ", "_").lower()
        for count in number(value):
            yield Sample("nvlink_errors_total", {"gpu": gpu, "link": link, "kind": kind}, count)


def nvlink_traffic(_root: Path) -> Iterator[Sample]:
    """Payload of every NVLink; not every driver counts it. Raises Unread where nvidia-smi fails."""
    for gpu, link, said in _links("-gt", "d"):
        found = re.match(r"Data (Tx|Rx): (\d+) KiB$", said)
        if found:
            labels = {"gpu": gpu, "link": link, "direction": found[1].lower()}
            yield Sample("nvlink_bytes_total", labels, float(found[2]) * KIB)


PARTS = {"rdma": rdma, "pcie": pcie, "nvlink": nvlink, "nvlink_traffic": nvlink_traffic}


def _links(*options: str) -> Iterator[tuple[str, str, str]]:
    """GPU, link and what is said of it."""
    gpu = ""
    for line in ask(["nvidia-smi", "nvlink", *options]).splitlines():
        head, link = re.match(r"GPU (\d+):", line), LINK.match(line)
        if head:
            gpu = head[1]
        elif link and gpu:
            yield gpu, link[1], link[2].strip()


def ask(argv: list[str]) -> str:
    """What a program prints; nothing where it is not installed. Raises Unread where it fails or hangs."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False)
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Unread(f"{' '.join(argv)}: {failed}") from None
    if done.returncode:
        raise Unread(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def collect(root: Path) -> Iterator[Sample]:
    """Everything, each part preceded by whether it is there and could be read."""
    for part, samples in PARTS.items():
        try:
            found = list(samples(root))
        except Unread as failed:
            print(failed, file=sys.stderr)
            yield Sample("hardware_unread", {"kind": part}, 1.0)
            continue
        yield Sample("hardware_unread", {"kind": part}, 0.0)
        yield Sample("hardware_present", {"kind": part}, float(bool(found)))
        yield from found


def text(samples: Iterable[Sample]) -> str:
    """Prometheus' text format: the samples of a metric together, after its meaning."""
    by_metric: dict[str, list[str]] = {}
    for metric, labels, value in samples:
        inside = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items())
        shown = f"{value:.0f}" if value.is_integer() else repr(value)
        by_metric.setdefault(metric, []).append(f"{PREFIX}_{metric}{{{inside}}} {shown}\n")
    return "".join(
        f"# HELP {PREFIX}_{metric} {HELP[metric][1]}\n# TYPE {PREFIX}_{metric} {HELP[metric][0]}\n{''.join(lines)}"
        for metric, lines in by_metric.items()
    )


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(path: Path, content: str) -> None:
    """Replaces the file in one step: the exporter never reads half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "w") as out:
            out.write(content)
        beside.chmod(0o644)
        beside.replace(path)
    except OSError:
        beside.unlink()
        raise


if __name__ == "__main__":
    write(Path(sys.argv[1]), text(collect(SYS)))
