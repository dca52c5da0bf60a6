"""Bytes that the interfaces counted while a collective ran."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List

if TYPE_CHECKING:
    from bench import Bench

MANAGEMENT = "mgmt0"


class Counters:
    """Bytes that interfaces counted, and payload that the program moved, over the timed iterations."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.before = self._read()

    def _read(self) -> Dict[str, Any]:
        names = [*self.bench.groups.rails, MANAGEMENT]
        counted = {name: {way: _counter(name, way) for way in ("tx", "rx")} for name in names}
        return {"counted": counted, "payload": [[r.sent, r.received] for r in self.bench.rails]}

    def delta(self, seconds: List[float]) -> Dict[str, Any]:
        """Since this was made; an interface that does not exist counts nothing."""
        now, names = self._read(), self.bench.groups.rails

        def since(name: str) -> Dict[str, int]:
            return {
                way: now["counted"][name][way] - self.before["counted"][name][way] for way in ("tx", "rx")
            }

        rails = {}
        for i, name in enumerate(names):
            was, has = self.before["payload"][i], now["payload"][i]
            moved = {"payload_tx": has[0] - was[0], "payload_rx": has[1] - was[1], "seconds": seconds[i]}
            rails[name] = {**since(name), **moved}
        return {"rails": rails, "management": since(MANAGEMENT)}


def _counter(interface: str, way: str) -> int:
    try:
        return int(Path(f"/sys/class/net/{interface}/statistics/{way}_bytes").read_text())
    except (OSError, ValueError):
        return 0
