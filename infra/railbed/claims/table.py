"""The table of all claims: look-ups by id, and the scope of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from railbed.claims import (
    collectives,
    fabric,
    finetuning,
    gpus,
    host,
    inference,
    job,
    scheduler,
    science,
    storage,
)
from railbed.claims.definition import TABLE, Definition, Facts, In, Out
from railbed.claims.measurements import Reach
from railbed.claims.records import Claim, OutOfScope

FAMILIES = (gpus, host, scheduler, fabric, collectives, storage, job, finetuning, inference, science)
"""Modules whose import declares claims, in the order in which plans and reports have them."""
_PLACE = {module.__name__: place for place, module in enumerate(FAMILIES)}
_EVERY = sorted(TABLE.values(), key=lambda one: _PLACE[one.instances.__module__])


def every() -> list[Definition]:
    """All definitions, in the order of the families."""
    return list(_EVERY)


@lru_cache(maxsize=4096)
def find(claim: str) -> Definition | None:
    """The definition that ``claim`` is an instance of; None for a claim that this release does not know."""
    return next((one for one in _EVERY if one.pattern.fullmatch(claim)), None)


def defined(claim: str) -> Definition:
    """The definition of an instance of this release's. Raises KeyError."""
    found = find(claim)
    if found is None:
        raise KeyError(claim)
    return found


def page_of(claim: str) -> str:
    """The page that says what to do where a claim does not hold; empty for a claim that this release does not know."""
    found = find(claim)
    return found.page if found else ""


def measured(claim: Claim, transports: Iterable[str], reach: Reach = Reach.LOGIN) -> Claim:
    """The claim with what of this release answers it where the rails are ``transports``, or why nothing does."""
    one = find(claim.id)
    if one is None:
        return claim.model_copy(
            update={"measured_by": "", "unmeasured": "this release does not know the claim"}
        )
    tool, lacking = one.by.tool_for(transports, reach), one.by.lacking(reach)
    return claim.model_copy(update={"measured_by": tool, "unmeasured": lacking})


def answered_in(step: str) -> list[str]:
    """Globs of the claims that a step of a validation answers."""
    return [one.glob for one in _EVERY if one.by.step == step]


def scope(facts: Facts) -> tuple[list[Claim], list[OutOfScope]]:
    """Claims in scope and those out of scope, each in the order of the table.

    A claim that nothing of this release can answer there is out of scope, with that reason. Essential ones stay in scope
    and unproven: a certificate without them would say less than it seems.
    """
    found = [item for one in _EVERY for item in _items(one, facts)]
    return (
        [item for item in found if isinstance(item, Claim)],
        [item for item in found if isinstance(item, OutOfScope)],
    )


def _items(one: Definition, facts: Facts) -> list[Claim | OutOfScope]:
    for kind in (facts.platform, facts.hosts):
        if kind in one.hidden:
            return [OutOfScope(id=one.id, reason=one.hidden[kind])]
    return [_item(one, instance, facts) for instance in one.instances(facts)]


def _item(one: Definition, instance: In | Out, facts: Facts) -> Claim | OutOfScope:
    if isinstance(instance, Out):
        return OutOfScope(id=one.named(instance), reason=instance.reason)
    claim = one.claim(instance, facts)
    if claim.unmeasured and not one.essential:
        return OutOfScope(id=claim.id, reason=f"not measured: {claim.unmeasured}")
    return claim
