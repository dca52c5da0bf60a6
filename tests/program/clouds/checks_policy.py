"""The policy pack's rules over a recorded run, and whether its tables know the types that a cloud's program declares."""

from __future__ import annotations

import json

from railbed_policy import rules, stack_rules
from railbed_policy.facts import facts
from railbed_policy.pack import BASTIONS
from tests.program.clouds.checks import Case
from tests.program.clouds.recording import Declared


def policed(case: Case) -> list[str]:
    """What the pack would refuse."""
    found = []
    for one in case.run.declared:
        sentences = [
            *rules.public_ssh(one.typ, one.inputs),
            *rules.public_address(one.typ, one.inputs, one.name, BASTIONS),
            *rules.unprotected(one.typ, one.name, bool(one.options.protect)),
            *rules.missing_tags(one.typ, one.inputs),
        ]
        found += [f"{one.typ} {one.name}: {sentence}" for sentence in sentences]
    return found + [f"{urn}: {sentence}" for urn, sentence in stack_rules.unplaced(_declared(case))]


def _declared(case: Case) -> list[stack_rules.Declared]:
    """Mocks tell no dependencies: a resource depends on those whose id stands in its inputs."""
    declared = []
    for one in case.run.declared:
        said = json.dumps(one.inputs, default=str)
        on = frozenset(_urn(other) for other in case.run.declared if f'"{other.name}-id"' in said)
        declared.append(stack_rules.Declared(one.typ, one.name, _urn(one), one.inputs, on))
    return declared


def _urn(one: Declared) -> str:
    return f"{one.typ}::{one.name}"


def unknown(case: Case) -> list[str]:
    """Types that carry tags, or hold data or nodes, by the view's word, and that the pack's tables do not have so."""
    run, view = case.run, case.view
    tagged = {
        one.typ
        for one in run.declared
        if not one.typ.startswith(("pulumi:", "railbed:")) and view.tags(one) is not None
    }
    data = {one.typ for one in view.filesystems(run)}
    lacking = [f"{typ}: tags" for typ in tagged if not facts(typ).tags]
    return sorted(lacking + [f"{typ}: data" for typ in data if not facts(typ).data])
