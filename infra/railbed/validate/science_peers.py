"""What hpcc did on nodes that are not measured now, in the last whole run: one node alone has nothing to be compared with.

A repair validates one node. The kept results serve as its peers; no verdict is given on them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from railbed import inputs
from railbed.contract import Machine
from railbed.errors import RailbedError
from railbed.validate.acceptance import LATEST_FULL
from railbed.validate.validation_run import EVIDENCE, ValidationRun

Digits = list[list[str]]
"""Printed digits of each of a node's equal computations."""


class Kept(BaseModel):
    """One node's results; those of another system or release are not comparable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    release: str = Field(max_length=64)
    n: int
    triad_gbytes_per_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    digits: Digits = Field(max_length=16)


def kept_as(machine: Machine) -> str:
    """Where the results of its nodes are kept, below a report's evidence."""
    return f"science/{machine.key.replace('/', '-')}.json"


def keep(validation: ValidationRun, machine: Machine, results: Mapping[str, Kept]) -> None:
    """Stores them beside the outputs."""
    validation.keep(kept_as(machine), {name: one.model_dump(mode="json") for name, one in results.items()})


def last(
    validation: ValidationRun, machine: Machine, mine: Mapping[str, Kept], asked: Collection[str]
) -> dict[str, Kept]:
    """Node → its results in the last whole run, of nodes that nobody asked now. Empty where that run kept none, or what it kept
    cannot be read."""
    try:
        document = inputs.read_json(validation.folder.parent / LATEST_FULL / EVIDENCE / kept_as(machine))
    except RailbedError:
        return {}
    if not isinstance(document, dict):
        return {}
    comparable, found = {(one.release, one.n) for one in mine.values()}, {}
    for node in validation.contract.nodes:
        if node.machine != machine.key or node.name in asked:
            continue
        try:
            one = Kept.model_validate(document.get(node.name))
        except ValidationError:
            continue
        if (one.release, one.n) in comparable:
            found[node.name] = one
    return found
