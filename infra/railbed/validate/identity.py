"""The claim `node.identity`: the machine that answers is the contract's, and the one that was accepted."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from railbed import inputs, strict_json
from railbed.certificate import identity as law
from railbed.certificate.identity import CLAIM, PART, Identity, Shown
from railbed.claims import Judged, Verdict
from railbed.contract import Node
from railbed.defaults import MAX_JSON_BYTES
from railbed.effects import files
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError

_KNOWN = TypeAdapter(dict[str, Identity])
DETAIL = "identity"
"""Key of the identity in the detail of the verdict."""


def judged(one: Judged, node: Node, seen: Shown, known: Identity | None, *, simulated: bool) -> Judged:
    """The verdict on what a node printed. ``known`` is who it was when it was accepted; None where that does not matter."""
    shown = law.of(seen, node.gpus, simulated=simulated)
    verdict, reason, measured = law.judge(node.identity.kind, node.identity.value, shown)
    changed = law.changes(known, shown) if known else []
    if verdict is Verdict.PASS and changed:
        verdict = Verdict.UNPROVEN
        reason = (
            f"not the parts that were accepted ({'; '.join(changed)}): validate {node.name} with every claim"
        )
    return one.model_copy(
        update={
            "verdict": verdict,
            "reason": reason,
            "measured": measured,
            "expected": node.identity.value,
            "detail": {"parts": [PART], DETAIL: shown.model_dump(mode="json")},
        }
    )


def apart(found: list[Judged]) -> list[Judged]:
    """``found``, where nodes that show the same machine id or GPU fail: one machine may answer under two names."""
    seen = {one.node: Identity.model_validate(one.detail[DETAIL]) for one in found if DETAIL in one.detail}
    twins = law.shared(seen)
    return [
        one.model_copy(update={"verdict": Verdict.FAIL, "reason": f"its {twins[one.node]}"})
        if one.claim == CLAIM and one.node in twins
        else one
        for one in found
    ]


def accepted(work: Workspace) -> dict[str, Identity]:
    """Node → what it showed of itself when it was accepted. Raises ContractError where the file is not whole."""
    path = work.identities_file
    if not path.exists():
        return {}
    hint = "remove it and validate again: nodes then count as unknown"
    data = inputs.read_json(path, MAX_JSON_BYTES, error=ContractError, hint=hint)
    try:
        return _KNOWN.validate_json(strict_json.dumps(data))
    except ValidationError:
        raise ContractError("the list of accepted identities is damaged", path=str(path), hint=hint) from None


def remember(work: Workspace, seen: Mapping[str, Identity]) -> None:
    """Adds what nodes showed that are accepted now."""
    known = {**accepted(work), **seen}
    files.replace(work.identities_file, _KNOWN.dump_json(known, indent=1).decode() + "\n")
