"""``node.scheduler``: the reference of hosts, and the case in which the controller differs from all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from railbed.claims import Judged, Verdict
from railbed.effects import node_json
from railbed.validate.validation_run import ValidationRun

CLAIM = "node.scheduler"
PROGRAM = Path(__file__).parent / "node" / "scheduler_files.py"
FEWEST = 2
"""One host that differs from the controller says nothing of which of the two is wrong."""


class Configuration(node_json.Reply):
    """What ``node/scheduler_files.py`` prints."""

    files: dict[str, Annotated[str, Field(pattern=r"^([0-9a-f]{64}|missing)$")]]
    credential: Annotated[str, Field(pattern=r"^(MUNGE:[A-Za-z0-9+/=]+:)?$", max_length=4096)]


CONFIGURATION = TypeAdapter(Configuration)


def reference(validation: ValidationRun) -> dict[str, Any]:
    """The first controller's digests and a credential of its munge, for the hosts' expectations; or why there are none."""
    if validation.scheduler is None:
        return {"error": "the scheduler does not answer"}
    name = validation.scheduler.controller
    result = validation.remote.run(name, ["python3", "-"], stdin=PROGRAM.read_text(), check=False)
    try:
        known = node_json.read(result.stdout, CONFIGURATION, name)
    except node_json.Unreadable as wrong:
        return {"controller": name, "error": wrong.message if result.ok else result.tail()}
    return {"controller": name, **known.model_dump()}


def odd_controller(found: list[Judged], controller: str) -> list[Judged]:
    """``found``, where all other hosts differ from the controller in the same part: then that is the one to blame.

    It takes two or more of them, and none that is like the controller. They stay unproven: nobody knows yet whether
    they are right.
    """
    asked = [one for one in found if one.claim == CLAIM]
    others = [one for one in asked if one.node != controller]
    parts = {tuple(one.detail.get("parts") or []) for one in others}
    if len(others) < FEWEST or len(parts) != 1 or any(one.verdict is not Verdict.FAIL for one in others):
        return found
    if not any(one.node == controller for one in asked):
        return found
    return [_turned(one, controller, others) if one in asked else one for one in found]


def _turned(one: Judged, controller: str, others: list[Judged]) -> Judged:
    if one.node != controller:
        reason = f"blocked by {CLAIM} on {controller}: {one.reason}"
        return one.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": reason})
    parts = others[0].detail.get("parts")
    reason = f"{', '.join(parts or [])} of {controller} differs from that of all {len(others)} other hosts"
    detail = {**one.detail, "parts": parts}
    return one.model_copy(update={"verdict": Verdict.FAIL, "reason": reason, "detail": detail})
