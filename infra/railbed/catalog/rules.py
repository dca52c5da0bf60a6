"""Compatibility as data: which versions there are, and what must hold between them."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from railbed.catalog.facts import Entry, Facts, Source


class Known(Facts):
    """One version of one component that a plan may choose."""

    version: str = Field(min_length=1)
    note: str = ""
    provenance: Source


class Rule(Facts):
    """``when`` all of it holds, ``require`` must hold too.

    Both map a subject to a condition. A subject is a component (``driver``), ``os``, or a fact of the machine
    (``machine.gpu_architecture``). A condition is a value, a list of values, true or false, or a text of comparisons
    (``">=5.15, <6.9"``; ``|`` between alternatives); ``none`` means that the component is not installed. In
    ``require`` also ``same as <component>``.
    """

    when: dict[str, Any] = Field(default_factory=dict)
    require: dict[str, Any] = Field(min_length=1)
    reason: str = Field(min_length=8)
    provenance: Source


class Rules(Entry):
    """A file of ``rules/``: versions, rules, or both."""

    rules: dict[str, Rule] = Field(default_factory=dict)
    versions: dict[str, list[Known]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.rules and not self.versions:
            raise ValueError("a file of rules/ has `rules` or `versions` below `parts`")
        return self
