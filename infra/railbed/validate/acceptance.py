"""What a passing run changes: nodes are accepted and leave the reservation; a certificate stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from railbed.claims import Verdict
from railbed.contract import Contract, Node
from railbed.effects import acceptance
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.validate import certificate, identity, records, verification
from railbed.validate.records import Report
from railbed.validate.validation_run import ValidationRun

LATEST_FULL = "latest-full"
"""Link to the last full run, next to ``latest``."""


def accept(
    work: Workspace, nodes: list[Node], scheduler: NodeScheduler | None, report: Report,
    standby: Collection[str] = (),
) -> None:  # fmt: skip
    """Records that the nodes passed in ``report``, and which machines they were, and gives them to users, but for ``standby``."""
    identity.remember(work, {node.name: report.identity(node.name) for node in nodes})
    acceptance.admit(work, nodes, scheduler, standby)


@contextmanager
def together(validation: ValidationRun, *, needed: bool) -> Iterator[None]:
    """Takes idle nodes into the acceptance reservation, if it holds some but not all, until the run ends.

    Slurm starts no job across the border of a reservation: new nodes could not be tried with old ones.
    """
    scheduler = validation.scheduler
    names = [node.name for node in validation.rail_nodes()]
    outside = [n for n in names if n not in validation.reserved and not validation.obstacle(n)]
    if scheduler is None or not needed or not validation.reserved or not outside:
        yield
        return
    before = validation.reserved
    acceptance.hold(scheduler, outside)
    validation.reserved = before | set(outside)
    try:
        yield
    finally:
        acceptance.release(scheduler, outside)
        validation.reserved = before


def exceptions(contract: Contract, work: Workspace) -> dict[str, str]:
    """Claims of ``contract`` that the standing certificate lets stay unproven, each with its reason; empty where none stands.

    Whoever accepted the cluster so accepts a node that comes back the same.
    """
    try:
        said = certificate.of_stack(work)
    except RailbedError:
        return {}
    if verification.expiry(said, datetime.now(UTC)).verdict is not Verdict.PASS:
        return {}
    known = {claim.id for claim in contract.claims}
    return {name: reason for name, reason in said.accepted_unproven.items() if name in known}


def lapse(contract: Contract, work: Workspace) -> str:
    """Why no certificate stands for this very contract today; empty where one does."""
    try:
        said = certificate.of_stack(work)
    except RailbedError as none:
        return none.message
    if said.contract_hash != contract.certified():
        return "the certificate is of another contract"
    today = verification.expiry(said, datetime.now(UTC))
    if today.verdict is not Verdict.PASS:
        return f"the certificate does not stand: {today.reason}"
    last = work.reports / LATEST_FULL / "report.json"
    if last.exists() and records.read_json(last).verdict is not Verdict.PASS:
        return "a full validation after the certificate did not pass"
    known = acceptance.record(work)
    new = [node.name for node in contract.nodes if not acceptance.is_accepted(node, known)]
    return f"{', '.join(new)}: never passed a full validation" if new else ""
