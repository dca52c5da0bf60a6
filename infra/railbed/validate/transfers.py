"""One file from each client of a filesystem, read by another one: timed, with its digest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from railbed import ended
from railbed.defaults import STORAGE_PROBE_BYTES, STORAGE_ROUNDS, STORAGE_TIMEOUT_S
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
    """Reader → whose file it read, of its best try; of the first one that read other bytes, where one did."""
    seen: dict[str, list[str]] = field(default_factory=dict)
    """Reader → whose files it read, in all its tries."""
    differs: set[str] = field(default_factory=set)
    """Readers of other bytes."""

    tries: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """``writes``, ``reads`` → client that was measured again → MB/s of each of its tries."""

    def rates(self, verb: str) -> dict[str, float]:
        """Client → MB/s with which it wrote (``writes``) or read (``reads``)."""
        by = self.writes if verb == "writes" else self.reads
        return {name: one.transfer.mbytes_per_s for name, one in by.items() if one.transfer}

    def differing(self) -> list[str]:
        """What was read otherwise than it was written, one line each."""
        return [
            f"{reader} reads other bytes than {writer} wrote"
            for reader, writer in self.writers.items()
            if self.reads[reader].transfer and self.reads[reader].sha256 != self.writes[writer].sha256
        ]

    def plain(self) -> dict[str, Any]:
        """As JSON data, for the evidence."""
        moved = {
            verb: {name: asdict(one) | {"transfer": one.transfer and one.transfer.model_dump()} for name, one in by.items()}
            for verb, by in (("writes", self.writes), ("reads", self.reads))
        }  # fmt: skip
        return {**moved, "tries": self.tries}


Slow = Callable[[str, dict[str, float]], list[str]]
"""Of ``writes`` or ``reads`` and the clients' MB/s: who is below what it must reach."""


def run(
    validation: ValidationRun, clients: Sequence[str], folder: str, hung: Callable[[], bool], slow: Slow
) -> Transfers:
    """One client after the other, so that none slows the next; who is slow again, up to STORAGE_ROUNDS times in all, and its best
    counts: a file takes a tenth of a second, and one pause of a server as long.

    ``hung`` is asked whenever a client does not end: true stops the rest, which would only wait as long.
    """
    found = Transfers()
    if not _each(
        found, "writes", clients, slow, lambda name: _write(validation, found, clients, folder, name, hung)
    ):
        return found
    _each(found, "reads", clients, slow, lambda name: _read(validation, found, clients, folder, name, hung))
    return found


def _each(
    found: Transfers, verb: str, clients: Sequence[str], slow: Slow, once: Callable[[str], bool]
) -> bool:
    """Every client once, and the slow ones again; False where the rest was stopped."""
    names, tries = list(clients), dict[str, list[float]]()
    for _ in range(STORAGE_ROUNDS):
        for name in names:
            if not once(name):
                return False
        rates = found.rates(verb)
        names = slow(verb, rates)
        for name in names:
            tries.setdefault(name, []).append(rates[name])
        if not names:
            break
    found.tries[verb] = tries
    return True


def _better(before: Reply | None, now: Reply) -> Reply:
    """The faster one; what went wrong counts whenever it did."""
    if before is None or before.transfer is None or now.transfer is None:
        return now if before is None or before.transfer else before
    return max(before, now, key=lambda one: one.transfer.mbytes_per_s if one.transfer else 0.0)


def _write(
    validation: ValidationRun, found: Transfers, clients: Sequence[str], folder: str, name: str, hung: Callable[[], bool]
) -> bool:  # fmt: skip
    argv = ["write", f"{folder}/{name}", str(STORAGE_PROBE_BYTES), str(clients.index(name))]
    reply, late = _ask(validation, name, argv)
    found.writes[name] = _better(found.writes.get(name), reply)
    return not (late and hung())


def _read(
    validation: ValidationRun, found: Transfers, clients: Sequence[str], folder: str, name: str, hung: Callable[[], bool]
) -> bool:  # fmt: skip
    """Reads a file that the client neither wrote nor read before: those are in its cache. None is left: what it read stands."""
    at, seen = clients.index(name), found.seen.setdefault(name, [])
    others = [*clients[at + 1 :], *clients[:at]]
    writer = next((one for one in others if one not in seen and found.writes[one].transfer), None)
    if writer is None:
        if not seen:
            found.reads[name] = Reply(unknown=f"there was no file of another client for {name} to read")
        return True
    seen.append(writer)
    reply, late = _ask(validation, name, ["read", f"{folder}/{writer}"])
    wrong = reply.transfer is not None and reply.sha256 != found.writes[writer].sha256
    before = found.reads.get(name)
    if name not in found.differs and (wrong or _better(before, reply) is reply):
        found.reads[name], found.writers[name] = reply, writer
    found.differs |= {name} if wrong else set()
    return not (late and hung())


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
