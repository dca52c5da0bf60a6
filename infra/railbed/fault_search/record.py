"""The record of a search for the guilty: what is looked at, by which rule, and every round of tests with its results.

One JSON document goes back and forth: `plan` adds a round with empty verdicts, whoever runs the tests fills them in,
`decide` reads them. A verdict that stays empty counts like ``unproven``: as nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from railbed import strict_json
from railbed.claims import FrozenModel, Verdict
from railbed.errors import UsageError
from railbed.fabric import Fabric, FabricRequest, Names
from railbed.fabric import plan as plan_fabric
from railbed.fabric.ratio import read as read_ratio

Kind = Literal["nodes", "rails", "links"]
KINDS: tuple[str, ...] = get_args(Kind)
MAX_NODES = 100_000
MAX_ROUNDS = 100
SHOWN_CHARACTERS = 80
HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


class Rule(FrozenModel):
    """What is taken for granted about faults, and when enough is known."""

    least_failing: float = Field(gt=0, le=1, allow_inf_nan=False)
    """A fault that makes at least this share of its tests fail is to be found; 1: faults that always do."""
    prevalence: float = Field(gt=0, lt=0.5, allow_inf_nan=False)
    """Share of the parts that is thought bad before any test."""
    noise: float = Field(ge=1e-9, le=0.1, allow_inf_nan=False)
    """Share of the tests of good parts that fail all the same."""
    confidence: float = Field(gt=0.5, lt=1, allow_inf_nan=False)
    """How sure a culprit is, and how sure it is in the end that no other is left."""
    most_rounds: int = Field(ge=1, le=MAX_ROUNDS)
    seed: int = 0


DEFAULTS: dict[str, Rule] = {
    "nodes": Rule(least_failing=0.5, prevalence=0.01, noise=1e-4, confidence=0.99, most_rounds=12),
    "rails": Rule(least_failing=0.5, prevalence=0.01, noise=1e-4, confidence=0.99, most_rounds=12),
    "links": Rule(least_failing=1.0, prevalence=0.001, noise=1e-6, confidence=0.99, most_rounds=6),
}
"""Declared: one node in a hundred, one cable in five hundred; a failed test was repeated before it counts."""


class FabricSize(FrozenModel):
    """The fabric whose links are looked at, as `railbed fabric plan` takes it."""

    radix: int = 64
    planes: int = 1
    oversubscription: str = "1"
    design_nodes: int = 0
    extra_endpoints: int = 0
    node_name: str = Names.node
    nic_name: str = Names.nic
    switch_name: str = Names.switch


class Planned(FrozenModel):
    """One test: the nodes at both ends, what it runs over, and what came of it."""

    stage: int = Field(default=1, ge=1)
    """Tests of one stage run at the same time; stages one after the other."""
    nodes: tuple[str, str]
    """Of a flow over known links: sender, receiver."""
    rail: int | None = Field(default=None, ge=0)
    path: str | None = None
    """Ports from the sender's NIC to the receiver's, two per cable."""
    verdict: Verdict | None = None

    @property
    def ran(self) -> bool:
        """True where it says anything."""
        return self.verdict in (Verdict.PASS, Verdict.FAIL)


class Round(FrozenModel):
    """Tests that were planned together."""

    stages: int = Field(default=1, ge=0)
    tests: list[Planned]


class Record(FrozenModel):
    """The whole search."""

    schema_: Literal["railbed/blame/v1"] = Field(default="railbed/blame/v1", alias="schema")
    what: Kind
    nodes: list[str]
    known_good: list[str] = Field(default_factory=list)
    """Nodes that are only partners; they may stand in ``nodes`` or not."""
    rails: int = Field(default=8, ge=1, le=256)
    unit_nodes: int | None = Field(default=None, ge=1)
    """Nodes of a scalable unit, in the order of ``nodes``: they share one leaf per rail."""
    fabric: FabricSize | None = None
    rule: Rule
    rounds: list[Round] = Field(default_factory=list)

    @property
    def players(self) -> list[str]:
        """All nodes that may be in a test."""
        there = set(self.nodes)
        return [*self.nodes, *(name for name in self.known_good if name not in there)]

    def sized(self) -> tuple[Fabric, Names]:
        """The fabric of a search among links. Raises UsageError past the radix limit."""
        size = self.fabric or FabricSize()
        request = FabricRequest(
            nodes=len(self.nodes), rails=self.rails, radix=size.radix, planes=size.planes,
            oversubscription=read_ratio(size.oversubscription), design_nodes=size.design_nodes,
            extra_endpoints=size.extra_endpoints,
        )  # fmt: skip
        names = Names(nodes=self.nodes, node=size.node_name, nic=size.nic_name, switch=size.switch_name)
        return plan_fabric(request), names.checked(size.planes)

    def with_round(self, one: Round) -> Record:
        """The same search, one round on."""
        return self.model_copy(update={"rounds": [*self.rounds, one]})

    def as_json(self) -> dict[str, Any]:
        """The document."""
        document: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        for one in document["rounds"]:
            for test in one["tests"]:
                for key in ("rail", "path"):
                    if test[key] is None:
                        del test[key]
        return document


def read(text: str, where: str) -> Record:
    """The record in a file. Raises UsageError that names the place where the text is not one."""
    try:
        strict_json.loads(text)
        record = Record.model_validate_json(text)
    except strict_json.NotJson as broken:
        raise UsageError(
            "this is no JSON", code="BLAME_RECORD", path=where, found=f"a text that {broken}",
            hint="`railbed blame plan --json` prints a record to fill in",
        ) from None  # fmt: skip
    except ValidationError as wrong:
        raise _not_a_record(wrong, where) from None
    return checked(record, where)


def _not_a_record(wrong: ValidationError, where: str) -> UsageError:
    first = wrong.errors(include_url=False)[0]
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"])
    found = repr(first.get("input"))
    return UsageError(
        f"the record does not hold: {first['msg']}", code="BLAME_RECORD", path=f"{where}:{place.lstrip('.')}",
        found=found if len(found) <= SHOWN_CHARACTERS else found[:SHOWN_CHARACTERS] + "…",
        hint="fill in verdicts (pass, fail, unproven) and leave the rest as `railbed blame plan` made it",
    )  # fmt: skip


def checked(record: Record, where: str = "") -> Record:
    """The record, if it is one in itself. Raises UsageError."""
    players = set(record.players)
    doubled = [name for name, count in Counter(record.nodes).items() if count > 1]
    strange = [name[:SHOWN_CHARACTERS] for name in record.players if not HOST.fullmatch(name)]
    faults: list[tuple[bool, str, str, Any, Any]] = [
        (not record.nodes, "nodes", "nobody is there to test", 0, "1 or more"),
        (len(players) > MAX_NODES, "nodes", "too many nodes for one search", len(players), f"≤ {MAX_NODES}"),
        (bool(doubled), "nodes", "a node is named twice", doubled[:3], "each node once"),
        (bool(strange), "nodes", "this is no host name", strange[:1], "letters, digits, . _ and -"),
        (len(record.rounds) > MAX_ROUNDS, "rounds", "too many rounds", len(record.rounds), f"≤ {MAX_ROUNDS}"),
    ]
    for wrong, key, message, found, allowed in faults:
        if wrong:
            raise UsageError(message, code="BLAME_RECORD", path=f"{where}:{key}" if where else f"--{key}",
                             found=found, allowed=allowed)  # fmt: skip
    for number, one in enumerate(record.rounds):
        for index, test in enumerate(one.tests):
            reason = _wrong(test, record, players)
            if reason:
                raise UsageError(
                    reason, code="BLAME_RECORD", path=f"{where}:rounds[{number}].tests[{index}]",
                    found=list(test.nodes), hint="leave the tests as `railbed blame plan` made them",
                )  # fmt: skip
    return record


def _wrong(test: Planned, record: Record, players: set[str]) -> str:
    strangers = [name for name in test.nodes if name not in players]
    if strangers:
        return f"{strangers[0]} is not one of the record's nodes"
    if test.nodes[0] == test.nodes[1]:
        return "a node cannot be its own partner"
    if record.what == "rails" and (test.rail is None or test.rail >= record.rails):
        return f"the test's rail must be one of 0 to {record.rails - 1}"
    if record.what == "links" and not test.path:
        return "the test does not say which path it took"
    return ""


def lines(record: Record) -> str:
    """The document as text with one line per test: a table to fill in by hand or by program."""
    document = record.as_json()
    rounds = document.pop("rounds")
    head = json.dumps(document, indent=1, ensure_ascii=False)[:-2]
    return head + ',\n "rounds": [' + ",".join(_round_lines(one) for one in rounds) + "\n ]\n}\n"


def _round_lines(one: dict[str, Any]) -> str:
    tests: Sequence[Any] = one["tests"]
    lines = ",\n".join("   " + json.dumps(test, ensure_ascii=False) for test in tests)
    return f'\n  {{"stages": {one["stages"]}, "tests": [\n{lines}\n  ]}}'
