"""A model of Slurm's `scontrol` and `squeue`, as far as railbed asks them; it prints what Slurm 22.05 prints (tests/unit/validate
have recorded outputs). Stands where SSH would reach a controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.contract import Contract
from railbed.effects.scheduler import NO_NODES
from railbed.parse.slurm import hostlist
from railbed.run import Result


@dataclass
class Slurm:
    """In place of a ``Remote``."""

    contract: Contract
    reasons: dict[str, str] = field(default_factory=dict)
    """Drained node → reason."""
    running: dict[str, str] = field(default_factory=dict)
    """Job → node."""
    reserved: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def run(self, _: str, argv: Sequence[str], **__: Any) -> Result:
        return Result(tuple(argv), 0, self._printed(list(argv)), "")

    def _printed(self, argv: list[str]) -> str:
        said = dict(word.split("=", 1) for word in argv if "=" in word)
        match argv[:3]:
            case ["squeue", *_]:
                where = argv[argv.index("-w") + 1] if "-w" in argv else None
                found = [(job, node) for job, node in self.running.items() if where in (None, node)]
                return "".join(f"{job}|ada|RUNNING|{node}||train\n" for job, node in found)
            case ["scontrol", "show", "node"]:
                names = [node.name for node in self.contract.with_role("compute", "spare")]
                return "".join(self._node(name) for name in names)
            case ["scontrol", "show", "reservation"]:
                form = (
                    "ReservationName={} StartTime=now Nodes={} NodeCnt=1 Flags=MAINT,IGNORE_JOBS Users=root\n"
                )
                return (
                    "".join(form.format(name, ",".join(of)) for name, of in self.reserved.items()) or NO_NODES
                )
            case ["scontrol", "update", _] if "NodeName" in said:
                if said["State"] == "DRAIN":
                    self.reasons[said["NodeName"]] = said["Reason"]
                else:
                    self.reasons.pop(said["NodeName"], None)
            case ["scontrol", "delete", _]:
                del self.reserved[said["ReservationName"]]
            case ["scontrol", "create" | "update", _]:
                self.reserved[said["ReservationName"]] = hostlist(said["Nodes"])
            case _:
                raise AssertionError(f"no such request: {argv}")
        return ""

    def _node(self, name: str) -> str:
        base = "ALLOCATED" if name in self.running.values() else "IDLE"
        reason = self.reasons.get(name)
        drain = "+DRAIN" if reason else ""
        why = f" Reason={reason} [root@2026-11-30T12:00:00]" if reason else ""
        return f"NodeName={name} Arch=x86_64 Gres=gpu:8(S:0-1) State={base}{drain} Partitions=batch{why}\n"
