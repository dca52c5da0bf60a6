"""One thing of a release that was looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from railbed.claims import FrozenModel
from railbed.effects.download import FetchError, Unreachable
from railbed.errors import Exit, RailbedError

Kind = Literal["key", "repository", "package", "file", "wheel", "transaction"]
State = Literal["pass", "fail", "unreachable", "unproven"]
WORST: tuple[State, ...] = ("fail", "unreachable", "unproven", "pass")


class Item(FrozenModel):
    """``unreachable``: its publisher did not answer. ``unproven``: it could not be looked at. Neither is a pass."""

    kind: Kind
    name: str
    where: str
    state: State
    expected: str = ""
    found: str = ""
    reason: str = ""


class NotLookedAt(RailbedError):
    """Why something was left out: the item stays unproven."""

    code = "NOT_LOOKED_AT"
    exit_status = Exit.UNPROVEN


def judged(kind: Kind, name: str, where: str, expected: str, check: Callable[[], str]) -> Item:
    """The item of what ``check`` says was found: it returns where that is as expected, else raises."""
    about = {"kind": kind, "name": name, "where": where, "expected": expected}
    try:
        return Item.model_validate({**about, "state": "pass", "found": check()})
    except RailbedError as wrong:
        return Item.model_validate({**about, **error_row(wrong)})


def error_row(wrong: RailbedError) -> dict[str, str]:
    """State, what was found, and the reason, of an error."""
    state: State = "unproven"
    if isinstance(wrong, FetchError):
        state = "unreachable" if isinstance(wrong, Unreachable) else "fail"
    found = wrong.found if wrong.found is not None else ""
    text = ", ".join(map(str, found)) if isinstance(found, list) else str(found)
    reason = f"{wrong.message}: {wrong.path}" if state == "unreachable" else wrong.message
    return {"state": state, "found": text, "reason": reason}


def once(items: Iterable[Item]) -> list[Item]:
    """Each thing once, by its worst state, in order of the first."""
    found: dict[tuple[str, ...], Item] = {}
    for one in items:
        known = found.setdefault((one.kind, one.name, one.where, one.expected), one)
        if WORST.index(one.state) < WORST.index(known.state):
            found[one.kind, one.name, one.where, one.expected] = one
    return list(found.values())


def exit_status(items: Iterable[Item]) -> Exit:
    """FAIL where one fails; UNPROVEN where one is not shown, or there is none; else PASS."""
    states = {one.state for one in items}
    if "fail" in states:
        return Exit.FAIL
    return Exit.PASS if states == {"pass"} else Exit.UNPROVEN


def counts(items: Iterable[Item]) -> dict[str, int]:
    """How many are in each state, the worst first."""
    states = [one.state for one in items]
    return {state: states.count(state) for state in WORST}
