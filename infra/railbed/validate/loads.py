"""What all clients of a filesystem do at once: random reads and writes, and files created, statted and deleted; by fio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from railbed.defaults import SSH_FANOUT, STORAGE_FILES, STORAGE_PEER_FLOOR, STORAGE_ROUNDS
from railbed.judge import peers
from railbed.validate import fio
from railbed.validate.conditions import watch, words
from railbed.validate.fio import Reply
from railbed.validate.validation_run import ValidationRun

RANDOM, METADATA = "storage.random", "storage.metadata"
CLAIMS = (RANDOM, METADATA)
SLOW_MOST = 4
"""Slow clients that are measured beside another one; of more, all are named."""
COMPARED = ("create", "stat")
"""What clients are compared by of what they do with files. Deleting only clears away."""


@dataclass
class Load:
    """What the clients did in each round."""

    replies: list[dict[str, Reply]] = field(default_factory=list)
    """Of every start of fio, one after the other."""
    rounds: list[dict[str, dict[str, float]]] = field(default_factory=list)
    """Round → ``write``, ``create``, … → client → operations a second."""
    absent: dict[str, str] = field(default_factory=dict)
    """Client → why it took no part."""
    together_per_s: dict[str, float] = field(default_factory=dict)
    """``create``, ``stat`` → files of all clients a second, from the first one's begin to the last one's end, best round."""
    beside_one: dict[str, float] = field(default_factory=dict)
    """Client that was slow in every round → its smallest share of what one of the others does, only those two at once."""
    conditions: str = ""
    evidence: str = ""

    @property
    def shares(self) -> dict[str, float]:
        """Client → its smallest share of the median of the others, of its best round for each way."""
        operations = {operation for one in self.rounds for operation in one}
        by_operation = [
            peers.best(peers.shares(one.get(operation, {})) for one in self.rounds)
            for operation in sorted(operations)
        ]
        names = [name for one in by_operation for name in one]
        return {name: min(one.get(name, 0.0) for one in by_operation) for name in dict.fromkeys(names)}

    @property
    def slow(self) -> list[str]:
        """Who was below STORAGE_PEER_FLOOR in every round."""
        return sorted(name for name, share in self.shares.items() if share < STORAGE_PEER_FLOOR)

    @property
    def few_slow(self) -> bool:
        """Whether most clients are not slow, so that those who are can be named."""
        return 2 * len(self.slow) < len(self.shares)

    @property
    def rates(self) -> dict[str, dict[str, float]]:
        """Way → client → operations a second, of the last round."""
        return self.rounds[-1] if self.rounds else {}

    @property
    def late(self) -> bool:
        """Whether a client did not end."""
        return any(one.late for replies in self.replies for one in replies.values())

    @property
    def broken(self) -> bool:
        """Whether a client gave no rates."""
        return any(one.error or one.unknown for replies in self.replies for one in replies.values())


def run(validation: ValidationRun, claim: str, clients: Sequence[str], folder: str, place: str) -> Load:
    """Rounds of one load, until no client is slow. Each client has a folder of its name below ``folder``; evidence goes to
    ``place``."""
    validation.say(f"{claim}: {len(clients)} clients at once")
    load = Load()
    with watch(validation.remote, clients) as seen:
        for _ in range(STORAGE_ROUNDS):
            (_random if claim == RANDOM else _files)(validation, load, clients, folder)
            if load.broken or not load.slow:
                break
        load.beside_one = {} if load.broken else _beside_one(validation, load, claim, folder)
    load.conditions = words(seen.problems())
    kept: dict[str, Any] = {
        "rounds": load.rounds, "beside_one": load.beside_one, "together_per_s": load.together_per_s, "conditions": seen.plain(),
        "replies": [{name: asdict(one) for name, one in replies.items()} for replies in load.replies],
    }  # fmt: skip
    load.evidence = validation.keep(f"{place}/{claim.removeprefix('storage.')}.json", kept)
    return load


def _beside_one(validation: ValidationRun, load: Load, claim: str, folder: str) -> dict[str, float]:
    """Each slow client, of few, beside the fastest alone: one that is slow there too is slow by itself, and not for what servers
    and network leave it where all are at once."""
    if not load.few_slow or len(load.slow) > SLOW_MOST:
        return {}
    partner = max(load.shares, key=lambda name: load.shares[name])
    found: dict[str, float] = {}
    for name in load.slow:
        validation.say(f"{claim}: {name} beside {partner} alone")
        pair = Load()
        (_random if claim == RANDOM else _files)(validation, pair, [name, partner], folder)
        load.replies += pair.replies
        if name in pair.shares and not pair.broken:
            found[name] = pair.shares[name]
    return found


def _start(
    validation: ValidationRun, load: Load, jobs: Mapping[str, str], names: Sequence[str]
) -> dict[str, Reply]:
    """Starts fio on all clients at once, or on as many as SSH reaches at once."""
    found = validation.remote.each(
        jobs, lambda name: fio.run(validation.remote, name, jobs[name], names), SSH_FANOUT
    )
    load.replies.append(found)
    return found


def _random(validation: ValidationRun, load: Load, clients: Sequence[str], folder: str) -> None:
    found = _start(validation, load, {name: fio.random_job(f"{folder}/{name}") for name in clients}, fio.JOBS)
    load.rounds.append(_by_operation(fio.JOBS, found))


def _files(validation: ValidationRun, load: Load, clients: Sequence[str], folder: str) -> None:
    """A client stats the files of the next one: its own are in its cache."""
    after = dict(zip(clients, [*clients[1:], *clients[:1]], strict=True))
    rates: dict[str, dict[str, float]] = {}
    for verb in ("create", "stat", "delete"):
        owner = after if verb == "stat" else {name: name for name in clients}
        found = _start(
            validation, load, {n: fio.files_job(f"{folder}/{owner[n]}", verb) for n in clients}, [verb]
        )
        if load.broken:
            break
        if verb in COMPARED:
            rates |= _by_operation([verb], found)
            span = max(one.end_s for one in found.values()) - min(one.begin_s for one in found.values())
            if span > 0:
                rate = STORAGE_FILES * len(found) / span
                load.together_per_s[verb] = max(rate, load.together_per_s.get(verb, 0.0))
    load.rounds.append(rates)


def _by_operation(operations: Sequence[str], replies: Mapping[str, Reply]) -> dict[str, dict[str, float]]:
    return {
        operation: {n: one.rates[operation] for n, one in replies.items() if operation in one.rates}
        for operation in operations
    }
