"""A cluster's own certificate as the reference of a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from railbed.claims import FrozenModel, Judged, Verdict
from railbed.errors import UsageError
from railbed.judge import compare
from railbed.parse.numbers import finite


class Baseline(FrozenModel):
    """What a certificate measured, by claim."""

    measured: Mapping[str, float]
    """``collective.all_reduce@4`` → GB/s."""
    machines: tuple[str, ...]
    """Catalogue keys of the nodes that it covers."""


def of_certificate(body: Mapping[str, Any], machine: str) -> Baseline:
    """The collectives that a certificate passed. Raises UsageError where it is of another kind of machine, or has none."""
    nodes = body.get("nodes") if isinstance(body.get("nodes"), list) else []
    machines = sorted({str(n["machine"]) for n in nodes or [] if isinstance(n, dict) and n.get("machine")})
    if machines and machine not in machines:
        raise UsageError(
            "the certificate is of other machines", path="--baseline", found=machine, allowed=machines
        )
    claims = body.get("claims") if isinstance(body.get("claims"), list) else []
    measured = {
        str(c["claim"]): float(c["measured"])
        for c in claims or []
        if isinstance(c, dict)
        and str(c.get("claim", "")).startswith("collective.")
        and c.get("verdict") == Verdict.PASS.value
        and finite(c.get("measured"))
        and c["measured"] > 0
    }
    if not measured:
        raise UsageError(
            "the certificate holds no collective that passed", path="--baseline",
            hint="make one with a full `railbed validate`",
        )  # fmt: skip
    return Baseline(measured=measured, machines=tuple(machines))


def compared(judged: Judged, samples: Sequence[float], baseline: Baseline, *, sound: bool) -> Judged:
    """The verdict, compared with the certificate's own value of the same claim.

    ``samples`` repeat the measurement, ``sound`` says that nothing but a missing reference stood in its way. A loss fails;
    where there is nothing to compare with the claim is unproven.
    """
    reference = baseline.measured.get(judged.claim)
    if judged.verdict is Verdict.FAIL or (judged.verdict is Verdict.UNPROVEN and not sound):
        return judged
    if reference is None or not samples:
        reason = f"the certificate has no {judged.claim}" if reference is None else judged.reason
        return judged.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})
    found = compare.against(samples, [reference])
    own = reference * (1 - found.threshold)
    side = f"{abs(found.loss):.2%} {'below' if found.loss > 0 else 'above'} the certificate's {reference:.5g} GB/s"
    reason = f"{side}; mean of {found.repeats}, a loss counts from {found.threshold:.2%} on (one false alarm in 1000)"
    if not found.lost and found.power < compare.POWER:
        needed = compare.repeats_for(compare.Noise(share=found.noise), 1)
        reason += f"; a loss of {compare.LOSS:.0%} is seen in {found.power:.0%} of cases"
        reason += f", with {needed} repeats in {compare.POWER:.0%}" if needed else ""
    return judged.model_copy(
        update={
            "verdict": Verdict.FAIL if found.lost else Verdict.PASS,
            "measured": found.measured,
            "expected": reference,
            "floor": max(own, judged.floor or 0.0),
            "basis": "measured",
            "derivation": [
                *judged.derivation,
                f"floor: this cluster's certificate less {found.threshold:.2%}",
            ],
            "reason": reason
            if found.lost or judged.verdict is Verdict.UNPROVEN
            else f"{judged.reason}; {reason}",
        }
    )
