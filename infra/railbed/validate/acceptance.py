"""What a passing run changes: nodes are accepted and leave the reservation; a certificate stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from railbed.contract import Contract, Node
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.model.claims import Verdict
from railbed.validate import certificate, records
from railbed.validate.bench import Bench

LATEST_FULL = "latest-full"
"""Link to the last full run, next to ``latest``."""


def accept(work: Workspace, nodes: list[Node], scheduler: Scheduler | None) -> None:
    """Records that the nodes passed and gives them to users."""
    work.accepted.write({**work.accepted.read(), **{node.name: node.identity.value for node in nodes}})
    if scheduler is not None:
        scheduler.release([node.name for node in nodes])


@contextmanager
def together(bench: Bench, *, needed: bool) -> Iterator[None]:
    """Takes idle nodes into the acceptance reservation, if it holds some but not all, until the run ends.

    Slurm starts no job across the border of a reservation: new nodes could not be tried with old ones.
    """
    scheduler = bench.scheduler
    names = [node.name for node in bench.rail_nodes()]
    outside = [n for n in names if n not in bench.reserved and not bench.obstacle(n)]
    if scheduler is None or not needed or not bench.reserved or not outside:
        yield
        return
    before = bench.reserved
    scheduler.reserve(outside)
    bench.reserved = before | set(outside)
    try:
        yield
    finally:
        scheduler.release(outside)
        bench.reserved = before


def standing(contract: Contract, work: Workspace) -> bool:
    """Whether a certificate stands for this very contract, and no later full validation failed."""
    try:
        body = certificate.verify(certificate.standing(work), certificate.trusted_key(work))
    except RailbedError:
        return False
    if body["contract_hash"] != contract.hash or body["verdict"] != Verdict.PASS:
        return False
    last = work.reports / LATEST_FULL / "report.json"
    if last.exists() and records.read_json(last).verdict is not Verdict.PASS:
        return False
    known = work.accepted.read()
    return all(known.get(n.name) == n.identity.value for n in contract.nodes)
