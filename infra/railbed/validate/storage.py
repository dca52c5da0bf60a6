"""The shared filesystems: what each client sees of one, its rates, its data servers, copies that a cold client reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed import ended
from railbed.claims import WORKERS, Judged, Verdict
from railbed.contract import Filesystem, further
from railbed.defaults import STORAGE_PEER_FLOOR, STORAGE_PEERS_LEAST, STORAGE_TIMEOUT_S
from railbed.run import TIMED_OUT
from railbed.validate import fio, lnet, loads, old_folders, servers, transfers
from railbed.validate.answers import against_floor, disturbed, judged
from railbed.validate.clients import CLIENT, Client, Seen, outage, probe, unreachable
from railbed.validate.conditions import watch, words
from railbed.validate.patience import Patience
from railbed.validate.scope import Question
from railbed.validate.servers import Pair, Servers
from railbed.validate.transfers import Reply, Transfers
from railbed.validate.validation_run import ValidationRun

STORAGE_CLEAR_S = 60.0
"""For a client to remove its files: ten times what 500 creates take where a filesystem makes 100 a second."""

WRITE, READ, SERVERS = "storage.write", "storage.read", "storage.servers"
PATTERN = "storage.*"
FILESYSTEM = ("", servers.SERVER)
"""What is to blame where the client, another one and a server cannot be separated."""


def run(validation: ValidationRun) -> None:
    """Every filesystem, one after the other: asks all clients how they are, and measures with those that are well."""
    for filesystem in validation.contract.filesystems:
        _run(Trial(validation, filesystem))


def _run(trial: Trial) -> None:
    validation = trial.validation
    moving = any(trial.asks(claim) for claim in (WRITE, READ, SERVERS, lnet.CLAIM))
    loading = [claim for claim in loads.CLAIMS if trial.asks(claim)]
    if not moving and not loading:
        return
    trial.probe_clients()
    validation.say(f"storage: {trial.filesystem.mount} from {len(trial.well)} clients")
    if trial.well:
        old_folders.clear(validation, trial.filesystem, trial.well[0])
    if moving and len(trial.well) > 1:
        trial.measure()
    measured = {} if outage(trial.clients) else {claim: _load(trial, claim) for claim in loading}
    if outage(trial.clients):
        _down(trial)
        return
    for claim, replies in ((WRITE, trial.moved.writes), (READ, trial.moved.reads)):
        for question in trial.questions(claim):
            validation.answers.add(_rate(trial, question, replies))
    for question in trial.questions(SERVERS):
        validation.answers.add(_served(trial, question))
    for question in trial.questions(lnet.CLAIM):
        record = lnet.answer(
            question, trial.filesystem, trial.moved, trial.network, trial.evidence, validation.contract.nodes
        )
        validation.answers.add(record)
    for claim, load in measured.items():
        for question in trial.questions(claim):
            validation.answers.add(_alike(trial, question, load))


@dataclass
class Trial:
    """One filesystem under test."""

    validation: ValidationRun
    filesystem: Filesystem
    clients: dict[str, Client] = field(default_factory=dict)
    moved: Transfers = field(default_factory=Transfers)
    servers: Servers = field(default_factory=Servers)
    network: lnet.Counters = field(default_factory=lnet.Counters)
    conditions: str = ""
    evidence: str = ""

    @property
    def suffix(self) -> str:
        """What the ids of its claims end with."""
        return further.suffix(self.validation.contract, self.filesystem)

    @property
    def place(self) -> str:
        """Where its evidence goes."""
        return further.folder(self.validation.contract, self.filesystem)

    def questions(self, claim: str) -> list[Question]:
        """Those of a claim about this filesystem."""
        return self.validation.scope.get(claim + self.suffix)

    def asks(self, claim: str) -> bool:
        return bool(self.questions(claim))

    @property
    def well(self) -> list[str]:
        return [name for name, one in self.clients.items() if one.seen is Seen.WELL]

    def seen(self, *kinds: Seen) -> dict[str, str]:
        """Client → what is wrong. A run of some nodes judges those: another one's fault must not condemn them."""
        only = self.validation.scope.only
        return {
            name: one.reason
            for name, one in self.clients.items()
            if one.seen in kinds and (not only or name in only)
        }

    def probe_clients(self) -> bool:
        """Asks the clients how they are, and says whether none is well."""
        names = [node.name for node in self.validation.contract.with_role(*WORKERS)]
        gone = self.validation.unreachable
        found = probe(self.validation, self.filesystem, [name for name in names if name not in gone])
        self.clients = {name: found.get(name) or unreachable(name, gone[name]) for name in names}
        self._remember()
        return outage(self.clients)

    def _remember(self) -> None:
        """Whatever uses the filesystem on a broken client later would hang."""
        for name, one in self.clients.items():
            if one.seen is Seen.BROKEN:
                dead = self.validation.dead_clients[self.filesystem.name]
                dead[name] = f"blocked by {SERVERS}{self.suffix} on {name}: {one.reason}"

    def measure(self) -> None:
        """Writes, reads and asks the servers; again while the conditions are bad and a rate proves nothing."""
        patience = Patience(self.validation.say)
        again = True
        while again and (maker := self.folder()):
            name, folder = maker
            try:
                path = lnet.CLAIM + self.suffix
                before = lnet.read_counters(self.validation, self.well, path)
                with watch(self.validation.remote, self.well) as seen:
                    self.moved = transfers.run(
                        self.validation, self.well, folder, self.probe_clients, self.slow
                    )
                self.network = lnet.Counters(before, lnet.read_counters(self.validation, list(before), path))
                if self.asks(SERVERS) and not outage(self.clients):
                    files = [f"{folder}/{one}" for one, wrote in self.moved.writes.items() if wrote.transfer]
                    self.servers = servers.ask(self.validation, self.filesystem, name, files)
            finally:
                self.validation.remote.run(
                    name, ["rm", "-rf", folder], timeout_s=STORAGE_TIMEOUT_S, check=False
                )
            self.conditions = words(seen.problems())
            kept = {**self.moved.plain(), "conditions": seen.plain(), "lnet": self.network.plain()}
            self.evidence = self.validation.keep(f"{self.place}/rates.json", kept)
            again = bool(self.conditions) and self._misses() and patience.pause(self.conditions)

    def slow(self, verb: str, rates: dict[str, float]) -> list[str]:
        """Who is below the floor, slowest first; nobody where more than half are: that is no client's pause."""
        floors = [
            one.claim.expectation.floor
            for one in self.questions(WRITE if verb == "writes" else READ)
            if one.claim.expectation and one.claim.expectation.floor
        ]
        below = sorted(
            (name for name, rate in rates.items() if floors and rate < max(floors)), key=rates.__getitem__
        )
        return below if 2 * len(below) <= len(rates) else []

    def folder(self, parts: Sequence[str] = ()) -> tuple[str, str] | None:
        """A client and a folder that it made, with ``parts`` in it; one that cannot is broken."""
        folder = old_folders.path(self.validation, self.filesystem.mount, "probe")
        for name in self.well:
            argv = ["mkdir", folder, *(f"{folder}/{part}" for part in parts)]
            made = self.validation.remote.run(name, argv, timeout_s=STORAGE_TIMEOUT_S, check=False)
            if made.ok:
                return (name, folder) if len(self.well) > 1 else None
            if made.returncode == TIMED_OUT and self.probe_clients():
                return None
            reason = f"{self.filesystem.mount} cannot be written: {ended.why(made, 'mkdir', name)}"
            self.clients[name] = Client(name, Seen.BROKEN, reason)
            self._remember()
        return None

    def _misses(self) -> bool:
        rates = ((WRITE, self.moved.writes), (READ, self.moved.reads))
        found = [
            _rate(self, question, replies) for claim, replies in rates for question in self.questions(claim)
        ]
        return any(one.verdict is Verdict.UNPROVEN for one in found)

    def against(self, replies: Sequence[tuple[str, Reply | fio.Reply]]) -> tuple[dict[str, Pair], list[str]]:
        """What fails a claim, with what is to blame; and what only leaves it open. An error of all is the filesystem's."""
        failed = {f"{name}: {why}": (name, CLIENT) for name, why in self.seen(Seen.BROKEN).items()}
        errors = {one.error: (name, CLIENT) for name, one in replies if one.error}
        if len({name for name, _ in errors.values()}) == len(self.well) > 1:
            errors = dict.fromkeys(errors, FILESYSTEM)
        unknown = list(self.seen(Seen.UNABLE, Seen.UNREACHABLE).values())
        return {**failed, **errors}, [*unknown, *(one.unknown for _, one in replies if one.unknown)]


def _down(trial: Trial) -> None:
    """The filesystem itself: one fault, whatever is asked of it."""
    reasons = [one.reason for one in trial.clients.values() if one.seen is Seen.BROKEN]
    reason, guilty = servers.outage(trial.validation, trial.filesystem, reasons)
    for question in trial.validation.scope.get(PATTERN + trial.suffix):
        if not trial.suffix and "@" in question.claim.id:
            continue
        trial.validation.answers.add(_failed(question, {reason: guilty}, trial.evidence))


def _failed(question: Question, problems: dict[str, Pair], evidence: str) -> Judged:
    guilty = [list(pair) for pair in dict.fromkeys(problems.values())]
    named = [pair for pair in guilty if pair[0]] or guilty
    return judged(question, Verdict.FAIL, "; ".join(problems), evidence=evidence, detail={"guilty": named})


def _rate(trial: Trial, question: Question, replies: dict[str, Reply]) -> Judged:
    """The slowest client's rate; what a client cannot do at all fails the claim, what nobody knows leaves it open."""
    failed, unknown = trial.against(list(replies.items()))
    if question.claim.id == READ + trial.suffix and not trial.asks(SERVERS):
        # Of a provider's own filesystem nothing else says that what was read is what was written.
        failed |= dict.fromkeys(trial.moved.differing(), FILESYSTEM)
    if failed:
        return _failed(question, failed, trial.evidence)
    rates = {name: one.transfer.mbytes_per_s for name, one in replies.items() if one.transfer}
    if unknown or not rates:
        return judged(question, Verdict.UNPROVEN, _open(unknown), evidence=trial.evidence)
    slowest = min(rates, key=lambda name: rates[name])
    detail: dict[str, Any] = {"clients": rates, "slowest": slowest}
    record = against_floor(question, rates[slowest], evidence=trial.evidence, detail=detail)
    return disturbed(_naming(record, rates), trial.conditions)


def _naming(record: Judged, rates: dict[str, float]) -> Judged:
    """The verdict with the clients that are slow, where most of the others, of enough to tell, hold the floor."""
    if record.verdict is not Verdict.FAIL or record.floor is None or len(rates) < STORAGE_PEERS_LEAST:
        return record
    slow = [name for name, rate in rates.items() if rate < record.floor]
    if not slow or 2 * len(slow) >= len(rates):
        return record
    detail = {**record.detail, "guilty": [[name, CLIENT] for name in slow]}
    return record.model_copy(update={"reason": f"{', '.join(slow)}: {record.reason}", "detail": detail})


def _load(trial: Trial, claim: str) -> loads.Load:
    """All clients at once, in a folder of their own. Beside somebody's job nothing is run: not all clients could be compared, and
    the job would feel it."""
    busy = {name: why for name in trial.well if (why := trial.validation.busy(name))}
    clients = list(trial.well)
    maker = trial.folder(clients) if not busy and len(clients) >= STORAGE_PEERS_LEAST else None
    if maker is None:
        return loads.Load(absent=busy)
    name, folder = maker
    try:
        found = loads.run(trial.validation, claim, clients, folder, trial.place)
    finally:
        _clear(trial, name, folder, clients)
    if found.late:
        trial.probe_clients()
    return found


def _clear(trial: Trial, maker: str, folder: str, clients: Sequence[str]) -> None:
    """Each client removes its own files, which may be all of them where one broke off; what stays is reported."""
    remote = trial.validation.remote
    remote.each(
        clients,
        lambda name: remote.run(
            name, ["rm", "-rf", f"{folder}/{name}"], timeout_s=STORAGE_CLEAR_S, check=False
        ),
    )
    if not remote.run(maker, ["rm", "-rf", folder], timeout_s=STORAGE_CLEAR_S, check=False).ok:
        trial.validation.say(f"storage: {folder} could not be removed")


def _alike(trial: Trial, question: Question, load: loads.Load) -> Judged:
    """What the slowest client does of the median of the others; errors fail it as they fail a rate."""
    failed, unknown = trial.against([pair for replies in load.replies for pair in replies.items()])
    if failed:
        return _failed(question, failed, load.evidence)
    unknown += load.absent.values()
    shares = load.shares
    if unknown or not shares:
        why = "; ".join(dict.fromkeys(unknown)) or "fewer than 3 clients can be compared"
        return judged(question, Verdict.UNPROVEN, why, evidence=load.evidence)
    slowest = min(shares, key=lambda name: shares[name])
    detail: dict[str, Any] = {
        "shares": shares, "slowest": slowest, "together_per_s": load.together_per_s, "per_s": load.rates,
    }  # fmt: skip
    record = against_floor(question, shares[slowest], evidence=load.evidence, detail=detail)
    if record.verdict is Verdict.FAIL:
        reason = f"{', '.join(load.slow)}: {record.reason}"
        slow = load.slow if load.few_slow else []
        named = [name for name in slow if load.beside_one.get(name, 0.0) < STORAGE_PEER_FLOOR]
        if slow and not named:
            reason += "; beside one other client alone they are no slower than it: servers or network leave them less"
        detail |= {
            "guilty": [[name, CLIENT] for name in named] or [list(FILESYSTEM)],
            "beside_one": load.beside_one,
        }
        record = record.model_copy(update={"reason": reason, "detail": detail})
    return disturbed(record, load.conditions)


def _served(trial: Trial, question: Question) -> Judged:
    """Every data server serves, every chunk has its copies, cold clients read what was written."""
    moved, found = trial.moved, trial.servers
    failed, unknown = trial.against([*moved.writes.items(), *moved.reads.items()])
    failed |= found.problems | dict.fromkeys(moved.differing(), FILESYSTEM)
    unknown += found.unknown
    if failed:
        record = _failed(question, failed, trial.evidence)
    elif unknown or not moved.reads:
        record = judged(question, Verdict.UNPROVEN, _open(unknown), evidence=trial.evidence)
    else:
        record = judged(question, Verdict.PASS, found.good, evidence=trial.evidence)
    return record.model_copy(update={"measured": None if found.alive is None else float(found.alive)})


def _open(unknown: Sequence[str]) -> str:
    return (
        "; ".join(dict.fromkeys(unknown)) or "fewer than 2 clients can be measured: one writes, another reads"
    )
