"""The claim `storage.path`: what clients move takes the network that the filesystem is reached over, and not TCP beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.contract import Filesystem, Node, mounts
from railbed.defaults import SSH_FANOUT, STORAGE_TIMEOUT_S
from railbed.judge import lnet as law
from railbed.parse import lnetctl
from railbed.run import Result
from railbed.validate.answers import judged
from railbed.validate.scope import Question
from railbed.validate.transfers import Transfers
from railbed.validate.validation_run import ValidationRun

CLAIM = "storage.path"
PART = "storage client"
SHOW = "lnetctl net show -v"


@dataclass
class Counters:
    """What `lnetctl` said on each client, before and after something was moved."""

    before: dict[str, Result] = field(default_factory=dict)
    after: dict[str, Result] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON data, for the evidence."""
        return {
            when: {name: f"{one.stdout}{one.stderr}" for name, one in by.items()}
            for when, by in (("before", self.before), ("after", self.after))
        }


def read_counters(validation: ValidationRun, clients: Sequence[str], claim: str = CLAIM) -> dict[str, Result]:
    """The counters of these clients; none where ``claim``, this one of some filesystem, is not asked."""
    if not validation.scope.asks(claim):
        return {}
    return validation.remote.each(
        clients, lambda name: validation.remote.run(name, SHOW, timeout_s=STORAGE_TIMEOUT_S, check=False), SSH_FANOUT
    )  # fmt: skip


def answer(
    question: Question,
    filesystem: Filesystem,
    moved: Transfers,
    counters: Counters,
    evidence: str,
    nodes: Iterable[Node] = (),
) -> Judged:
    """One verdict of all clients: a client whose bytes went elsewhere fails it, one without counters leaves it open.

    ``nodes``: of the contract, with the addresses that those on the storage network must have.
    """
    network = mounts.network(filesystem) or "tcp"
    addresses = _planned(nodes, network)
    failed: dict[str, str] = {}
    unknown: list[str] = []
    sent: dict[str, int] = {}
    for name, size in _moved(moved).items():
        verdict, reason, count = _one(name, counters, network, size, addresses.get(name, ""))
        if count is not None:
            sent[name] = count
        if verdict is Verdict.FAIL:
            failed[name] = f"{name}: {reason}"
        elif verdict is Verdict.UNPROVEN:
            unknown.append(f"{name}: {reason}")
    detail: dict[str, Any] = {"messages": sent, "network": network}
    if failed:
        detail["guilty"] = [[name, PART] for name in failed]
        return judged(question, Verdict.FAIL, "; ".join(failed.values()), evidence=evidence, detail=detail)
    if unknown or not sent:
        reason = "; ".join(unknown) or "no client moved anything"
        return judged(question, Verdict.UNPROVEN, reason, evidence=evidence, detail=detail)
    reason = f"what {len(sent)} clients moved went over {network}"
    return judged(question, Verdict.PASS, reason, evidence=evidence, detail=detail)


def _moved(moved: Transfers) -> Mapping[str, int]:
    """Client → bytes that it wrote and read."""
    found: dict[str, int] = {}
    for replies in (moved.writes, moved.reads):
        for name, one in replies.items():
            found[name] = found.get(name, 0) + (one.transfer.bytes if one.transfer else 0)
    return {name: size for name, size in found.items() if size}


def _planned(nodes: Iterable[Node], network: str) -> dict[str, str]:
    """Client → the address that the contract gives it for an o2ib network, without prefix length."""
    over = network.startswith("o2ib")
    return {node.name: node.storage.address.split("/")[0] for node in nodes if over and node.storage}


def _one(
    name: str, counters: Counters, network: str, size: int, address: str
) -> tuple[Verdict, str, int | None]:
    before, after = counters.before.get(name), counters.after.get(name)
    if before is None or after is None:
        return Verdict.UNPROVEN, "lnetctl was not asked", None
    for one in (before, after):
        if not one.ok:
            return Verdict.UNPROVEN, ended.why(one, "lnetctl", name), None
    return law.judged(lnetctl.plain(before.stdout), lnetctl.plain(after.stdout), network, size, address)
