"""Measures again, and says what is not as the standing certificate says. The certificate stays the one to compare with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from railbed.claims import Culprit, FrozenModel, Verdict
from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError
from railbed.judge import drift as law
from railbed.judge.drift import Drift
from railbed.validate import certificate, stage, verification
from railbed.validate.room import Unwritten
from railbed.validate.validation_run import Progress

EVERY = "*"
"""As a filter: all claims, but a run that earns no certificate. Else what drifts slowly would be certified bit by bit."""


class Drifted(FrozenModel):
    """How today compares with the certificate."""

    verdict: Verdict
    drifted: list[Drift]
    culprits: list[Culprit]
    """Whom today's validation blames."""
    compared: int
    """Claims that both have."""
    issued_at: str
    """When the certificate was issued."""
    certificate: str
    report: str
    unwritten: str = ""
    """Why there is no report; empty where it is."""

    def as_json(self) -> dict[str, Any]:
        """The JSON of `railbed drift --json`."""
        return self.model_dump(mode="json")


def drift(
    contract: Contract, work: Workspace, *, quick: bool, progress: Progress, room: bool = True
) -> Drifted:
    """Validates and compares.

    Without ``room`` it does so on a full disk too: the result is known then, and the missing report.

    Raises UnprovenError where no certificate stands for this contract today, Tampered for a changed one.
    """
    path = certificate.standing(work)
    said = certificate.of_stack(work)
    if said.contract_hash != contract.certified():
        raise UnprovenError(
            "the certificate is of another contract: nodes, rails or software changed since", path=str(path),
            code="CERTIFICATE_OLD", found=said.contract_hash, allowed=contract.certified(),
            hint="run `railbed validate`; what passes then is what later runs are compared with",
        )  # fmt: skip
    today = verification.expiry(said, datetime.now(UTC))
    if today.verdict is not Verdict.PASS:
        raise UnprovenError(
            f"the certificate does not stand: {today.reason}", path=str(path), code="CERTIFICATE_EXPIRED",
            found=said.expires, hint="run `railbed validate`; what passes then is what later runs are compared with",
        )  # fmt: skip
    body = said.as_json()
    # Idle nodes stay the users': one held node must not take them away every night.
    unwritten = ""
    try:
        report = stage.run(
            contract, work, quick=quick, claim=EVERY, progress=progress, widen=False, room=room
        )
    except Unwritten as full:
        if room:
            raise
        report, unwritten = full.report, full.message
    found = law.compare(body["claims"], report.claims)
    certified = {(c["claim"], c["node"]) for c in body["claims"]}
    return Drifted(
        verdict=law.verdict(found),
        drifted=found,
        culprits=list(report.culprits),
        compared=sum((c.claim, c.node) in certified for c in report.claims),
        issued_at=said.issued_at,
        certificate=str(path),
        report=report.report_dir,
        unwritten=unwritten,
    )
