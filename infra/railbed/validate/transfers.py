"""One file from each client of a filesystem, read by another one: timed, with its digest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.defaults import STORAGE_PROBE_BYTES, STORAGE_TIMEOUT_S
from railbed.effects import node_json
from railbed.run import TIMED_OUT
from railbed.validate.validation_run import ValidationRun

PROBE = Path(__file__).parent / "node" / "storage_probe.py"
MBYTE = 1e6
LATE = (TIMED_OUT, 137)
"""Exit status of `timeout`, and of a process that it had to kill."""
NOT_RUN = (ended.SSH_FAILED, ended.MAY_NOT_RUN, ended.NOT_FOUND)


class Transfer(node_json.Reply):
    """What the probe says of one file."""

    seconds: float = Field(gt=0)
    bytes: int = Field(ge=0, le=STORAGE_PROBE_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @property
    def mbytes_per_s(self) -> float:
        return self.bytes / MBYTE / self.seconds


TRANSFER = TypeAdapter(Transfer)


@dataclass(frozen=True)
class Reply:
    """How one client fared with one file: a transfer, or an ``error``, or why nobody knows (``unknown``)."""

    transfer: Transfer | None = None
    error: str = ""
    unknown: str = ""

    @property
    def sha256(self) -> str:
        return self.transfer.sha256 if self.transfer else ""


@dataclass
class Transfers:
    """What each client wrote, and read of another one's."""

    writes: dict[str, Reply] = field(default_factory=dict)
    reads: dict[str, Reply] = field(default_factory=dict)
    writers: dict[str, str] = field(default_factory=dict)
    """Reader → whose file it read."""

    def differing(self) -> list[str]:
        """What was read otherwise than it was written, one line each."""
        return [
            f"{reader} reads other bytes than {writer} wrote"
            for reader, writer in self.writers.items()
            if self.reads[reader].transfer and self.reads[reader].sha256 != self.writes[writer].sha256
        ]

    def plain(self) -> dict[str, Any]:
        """As JSON data, for the evidence."""
        return {
            verb: {name: asdict(one) | {"transfer": one.transfer and one.transfer.model_dump()} for name, one in by.items()}
            for verb, by in (("writes", self.writes), ("reads", self.reads))
        }  # fmt: skip


def run(
    validation: ValidationRun, clients: Sequence[str], folder: str, hung: Callable[[], bool]
) -> Transfers:
    """One client after the other, so that none slows the next.

    ``hung`` is asked whenever a client does not end: true stops the rest, which would only wait as long.
    """
    found = Transfers()
    for seed, name in enumerate(clients):
        argv = ["write", f"{folder}/{name}", str(STORAGE_PROBE_BYTES), str(seed)]
        found.writes[name], late = _ask(validation, name, argv)
        if late and hung():
            return found
    for at, name in enumerate(clients):
        others = [*clients[at + 1 :], *clients[:at]]
        writer = next((one for one in others if found.writes[one].transfer), None)
        if writer is None:
            found.reads[name] = Reply(unknown=f"there was no file of another client for {name} to read")
            continue
        found.reads[name], late = _ask(validation, name, ["read", f"{folder}/{writer}"])
        found.writers[name] = writer
        if late and hung():
            return found
    return found


def _ask(validation: ValidationRun, node: str, arguments: list[str]) -> tuple[Reply, bool]:
    """What the probe on a node said, and whether it had to be ended."""
    argv = ["timeout", "-k", "2", str(int(STORAGE_TIMEOUT_S)), "python3", "-", *arguments]
    result = validation.remote.run(
        node, argv, stdin=PROBE.read_text(), timeout_s=STORAGE_TIMEOUT_S + 5, check=False
    )
    if result.returncode in LATE:
        return Reply(unknown=f"{node} did not {arguments[0]} its file within {STORAGE_TIMEOUT_S:g} s"), True
    why = ended.why(result, f"the probe that {arguments[0]}s a file", node)
    if result.returncode in NOT_RUN:
        return Reply(unknown=f"blocked by {node}: {why}"), False
    if not result.ok:
        return Reply(error=why), False
    try:
        return Reply(node_json.read(result.stdout, TRANSFER, node)), False
    except node_json.Unreadable as wrong:
        return Reply(unknown=wrong.message), False
