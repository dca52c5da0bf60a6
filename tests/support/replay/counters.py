"""Counters of ports, links and lost packets: steady, but for those that a table lets rise from one reading to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from tests.support.replay.facts import GPUS
from tests.support.replay.jobs import Said
from tests.support.replay.node import Machine

LINKS = 18
LOSSES = {
    "hgx": ["port_xmit_discards", "port_xmit_wait"], "p5": ["rx_drops"], "p4d": ["rx_drops"],
    "roce": ["packet_seq_err", "local_ack_timeout_err", "out_of_sequence", "np_ecn_marked_roce_packets"],
}  # fmt: skip
"""Counters of lost and paused packets, as the kernel names them."""


class Counters:
    """Of the machines of one cluster."""

    def __init__(self, name: str, machines: Mapping[str, Machine], table: Mapping[str, Any]) -> None:
        self.name, self.machines, self.table = name, machines, table
        self.read: Counter[tuple[str, str]] = Counter()
        self.lock = Lock()

    def reading(self, what: str, name: str) -> int:
        """Which reading of the node this is, from 0."""
        with self.lock:
            self.read[what, name] += 1
            return self.read[what, name] - 1

    def ports(self, name: str, words: Sequence[str]) -> Said:
        """Error counters of its ports: all steady, but for ``port_errors: {node: {device: {counter: [first, second]}}}``."""
        at, rises = self.reading("ports", name), self.table.get("port_errors", {}).get(name, {})
        said = []
        for path in words[3:]:
            device, counter = path.split("/")[4], path.rpartition("/")[2]
            if values := rises.get(device, {}).get(counter, [0]):
                said.append(f"{path}:{_at(values, at)}\n")
        return (0 if said else 1), "".join(said), ""

    def links(self, name: str, words: Sequence[str]) -> Said:
        """Error counters of its NVLinks, in a public form (stas00/ml-engineering, debug of NVIDIA GPUs): all steady at 0, but for
        ``nvlink_errors: {node: {gpu: {link: {KIND: [first, second]}}}}``; ``said`` in place of ``gpu`` is all it says."""
        assert words == ["nvidia-smi", "nvlink", "--errorcounters"], words
        at, rises = self.reading("links", name), self.table.get("nvlink_errors", {}).get(name, {})
        if "said" in rises:
            return 0, rises["said"], ""
        said = ""
        for gpu in range(GPUS):
            said += f"GPU {gpu}: NVIDIA H100 80GB HBM3 (UUID: GPU-{gpu})\n"
            for link in range(LINKS):
                of_link = rises.get(gpu, {}).get(link, {})
                for kind in ("Replay", "Recovery", "CRC"):
                    said += f"\t Link {link}: {kind} Errors: {_at(of_link.get(kind, [0]), at)}\n"
                said += "\n"
        return 0, said, ""

    def losses(self, name: str) -> Said:
        """Counters of lost packets: all steady, but for ``losses: {node: {device: {counter: [first, second]}}}``."""
        at, devices = self.reading("losses", name), list(self.machines[name].facts["cards"])
        found = {device: {counter: [0] for counter in LOSSES[self.name]} for device in devices}
        for device, counters in self.table.get("losses", {}).get(name, {}).items():
            found[device] = found[device] | counters
        said = [
            f"/sys/class/infiniband/{device}/ports/1/hw_counters/{counter}:{_at(values, at)}\n"
            for device, counters in found.items() for counter, values in counters.items() if values
        ]  # fmt: skip
        return 0, "".join(said), ""


def _at(values: Sequence[int], reading: int) -> int:
    """The value of a reading; later ones are as the last."""
    return values[min(reading, len(values) - 1)]
