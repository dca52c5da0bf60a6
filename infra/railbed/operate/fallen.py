"""Nodes that fell behind their certificate: no new job starts on one until it has passed a full validation again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from railbed.claims import WORKERS
from railbed.configure import quarantine
from railbed.contract import Contract
from railbed.effects import acceptance
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.slurm_text import NodeState
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, RailbedError, UsageError
from railbed.operate import breaker
from railbed.validate import Drifted

SURE = 0.9
"""Of a culprit's confidence. Where several parts explain a failure as well, nobody is taken away for it."""
OF_SCHEDULER = "scheduler.state"
"""Names nodes that Slurm gives no job already: drained by a person or by their health check, down, set aside by the site. All of
these end without railbed."""


@dataclass(frozen=True)
class HoldResult:
    """What became of the nodes that fell."""

    reserved: list[str]
    beyond_limit: list[str]
    """Nodes that still take jobs: with them too many of their pool would be out of service at once, or ``breaker`` says why."""
    trouble: str = ""
    """Why the scheduler holds none of them; the next run tries again."""
    unwritten: str = ""
    """Why it is not written down here that they are held: a converge may give them back before the next run holds them again."""
    breaker: Mapping[str, str] = field(default_factory=dict)
    """Pool → why its circuit breaker is open: none of its nodes that fell is held."""


def require_scheduler(contract: Contract) -> None:
    """Raises UsageError where there is no scheduler: nobody else keeps jobs from a node."""
    if contract.scheduler != "slurm":
        raise UsageError(
            f"stack {contract.stack} has no scheduler that could keep jobs from a node", code="NO_SCHEDULER", path="--hold",
            hint="without --hold drift is reported",
        )  # fmt: skip


def fallen(contract: Contract, found: Drifted, accepted: Mapping[str, str]) -> list[str]:
    """Accepted nodes that today's validation blames for a claim that was certified and fails; most claims first. Pure.

    A claim without a verdict, a slower rate that holds its floor and another version are reported, and take no node away.
    """
    failing = {one.claim for one in found.drifted if one.kind == "fail" and one.claim != OF_SCHEDULER}
    blamed: dict[str, set[str]] = {}
    for culprit in found.culprits:
        if culprit.confidence >= SURE:
            blamed.setdefault(culprit.node, set()).update(failing.intersection(culprit.claims))
    names = [
        node.name
        for node in contract.with_role(*WORKERS)
        if blamed.get(node.name) and acceptance.is_accepted(node, accepted)
    ]
    return sorted(names, key=lambda name: -len(blamed[name]))


def hold(work: Workspace, contract: Contract, found: Drifted) -> HoldResult:
    """Holds the nodes that fell, as many as the limit on automatic drains lets go; running jobs go on.

    Where the scheduler does not do so, nothing is written down, so that the next run tries again. Nodes that are not accepted
    belong into the reservation too: one that a run left outside is put back.
    """
    accepted = acceptance.record(work)
    names = fallen(contract, found, accepted)
    away = [node.name for node in contract.with_role(*WORKERS) if not acceptance.is_accepted(node, accepted)]
    try:
        scheduler = Scheduler(Remote(work, contract))
        states = scheduler.nodes()
        opened = breakers(work, contract, names, states)
        closed = [name for name in names if contract.node(name).pool not in opened]
        reserved = quarantine.within_limit(contract, closed, states, away)
        acceptance.hold(scheduler, [*reserved, *away])
    except CommandError as silent:
        unwritten = _written(work, [], {}, wanted=names, scheduler=silent.message)
        return HoldResult([], [], silent.message if names else "", unwritten)
    left = [name for name in names if name not in reserved]
    # One that holds nobody is no evidence: where a pool is at its limit there is one an hour.
    fields = {"beyond_limit": left, "scheduler": "", "report": found.report if reserved else ""}
    unwritten = _written(work, reserved, opened, **fields) if names else ""
    return HoldResult(reserved, left, unwritten=unwritten, breaker=opened)


def breakers(
    work: Workspace, contract: Contract, names: list[str], states: Mapping[str, NodeState]
) -> dict[str, str]:
    """Pools whose circuit breaker is open, and why: their failed nodes are reported, and a person finds the common cause."""
    index = Journal(work.journal_file).index()
    pools = {contract.node(name).pool for name in names}
    found = {
        pool: breaker.refusal(contract, states, index, pool, datetime.now(UTC)) for pool in sorted(pools)
    }
    return {pool: why for pool, why in found.items() if why}


def _written(work: Workspace, reserved: list[str], opened: Mapping[str, str], **fields: object) -> str:
    """Writes down who is held; why not, where the disk is full. The scheduler holds them all the same."""
    journal = Journal(work.journal_file)
    try:
        acceptance.revoke(work, reserved)
        for pool, why in opened.items():
            breaker.note(journal, pool, why)
        journal.write("drift-hold", nodes=reserved, **fields)
    except RailbedError as full:
        return full.message
    return ""
