"""The checks of the on-node suite in this process: the same functions, without a pytest of their own for each node."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from railbed.validate import on_node
from railbed.validate.node.probe import Finding, Probe


def checks() -> dict[str, Callable[..., None]]:
    """Claim → the test of the on-node suite that answers it."""
    found = {}
    for file in sorted(on_node.SUITE.glob("test_*.py")):
        module = importlib.import_module(f"railbed.validate.node.{file.stem}")
        for test in vars(module).values():
            for mark in getattr(test, "pytestmark", ()):
                found.update({mark.args[0]: test} if mark.name == "claim" else {})
    return found


CHECKS = checks()


def records(probe: Probe, want: dict[str, Any]) -> list[dict[str, Any]]:
    """What the suite writes of the claims asked for."""
    return [_record(claim, probe, want) for claim in CHECKS if claim in want["claims"]]


def _record(claim: str, probe: Probe, want: dict[str, Any]) -> dict[str, Any]:
    said: list[Finding] = []
    shown: dict[str, Any] = {}
    given = {"probe": probe, "want": want, "judge": said.append, "show": shown.update}
    CHECKS[claim](**{name: given[name] for name in inspect.signature(CHECKS[claim]).parameters})
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {**dataclasses.asdict(said[0]), "claim": claim, "at": at, **shown}
