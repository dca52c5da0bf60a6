"""What a policy document of AWS, Alibaba Cloud or Volcengine allows: the part of their common language that railbed's own
documents use. It stands for the providers and is not them; an element or operator that it does not know is an error.

Sources: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators"; Alibaba Cloud RAM,
"Policy structure and syntax"; Volcengine IAM, "Policy syntax". moto is no judge of these documents: of a statement with a
condition it says no to everything (moto 5.2.5, iam/access_control.py), whatever the request is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Ask:
    """One action on one resource, with what the provider knows of the request."""

    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)
    """Condition key → value; a key that the provider does not evaluate here is not in it."""


def allows(documents: Iterable[Mapping[str, Any]], asks: Iterable[Ask]) -> bool:
    """Whether the documents of one identity together allow a call: every resource of it, and a Deny wins."""
    statements = [one for document in documents for one in document["Statement"]]
    return all(_allowed(statements, ask) for ask in asks)


def _allowed(statements: list[Mapping[str, Any]], ask: Ask) -> bool:
    effects = {one["Effect"] for one in statements if _applies(one, ask)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], ask: Ask) -> bool:
    unknown = set(statement) - ELEMENTS
    if unknown or statement["Effect"] not in ("Allow", "Deny"):
        raise NotImplementedError(f"{sorted(unknown)} {statement['Effect']}")
    return (
        any(matches(pattern.lower(), ask.action.lower()) for pattern in listed(statement["Action"]))
        and any(matches(_filled(pattern, ask.keys), ask.resource) for pattern in listed(statement["Resource"]))
        and all(
            _holds(operator, _filled(key, ask.keys), listed(wanted), ask.keys)
            for operator, tests in statement.get("Condition", {}).items()
            for key, wanted in tests.items()
        )
    )  # fmt: skip


def _holds(operator: str, key: str, wanted: list[str], keys: Mapping[str, str]) -> bool:
    found = {name.lower(): value for name, value in keys.items()}.get(key.lower())
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    if operator in ("StringEqualsIfExists", "BoolIfExists") and found is None:
        return True
    if operator in ("StringEquals", "StringEqualsIfExists", "BoolIfExists"):
        return found in wanted
    if operator == "StringNotEquals":
        # True of a key that is not there: "Negated matching condition operators".
        return found not in wanted
    raise NotImplementedError(operator)


def matches(pattern: str, text: str) -> bool:
    """``*`` and ``?`` as in actions and resources."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.S))


def _filled(text: str, keys: Mapping[str, str]) -> str:
    """``${key}`` replaced; one that the request does not have matches nothing."""
    return re.sub(r"\$\{([^}]+)\}", lambda found: keys.get(found[1], "\0"), text)


def listed(value: str | list[str]) -> list[str]:
    """Elements that may be one or several."""
    return [value] if isinstance(value, str) else value
