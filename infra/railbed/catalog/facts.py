"""What all catalogue entries share: strictness and sources. Units are in the names."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Facts(BaseModel):
    """Base of catalogue entries: strict, frozen, no unknown keys. Docstrings of fields describe the JSON Schema."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Source(Facts):
    """Where a fact was published, and when somebody last looked."""

    source: str = Field(min_length=8)
    checked: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """ISO date."""
    file: str = ""
    """Catalogue file that holds the fact."""


class Entry(Facts):
    """What every entry has: a key, a title and, of each fact, where it comes from."""

    key: str
    """The file's place below the folder of its kind, without ``.yaml``."""
    title: str


class Published(Entry):
    """An entry whose facts each have a source, and that names what nobody published."""

    provenance: dict[str, Source]
    """Fact → where it was published."""
    unpublished: dict[str, str] = {}
    """Fact → what was looked for in vain. What depends on it is declared or stays unproven."""

    def must_say(self) -> tuple[str, ...]:
        """Facts that a file either holds or names as unpublished."""
        return ()

    @classmethod
    def fact_names(cls) -> list[str]:
        """Names that a fact of a file may have."""
        own = {"key", "title", "provenance", "unpublished", "board", "declared", "results"}
        return [
            field.alias or name
            for name, field in cls.model_fields.items()
            if (field.alias or name) not in own
        ]

    def fact(self, name: str) -> Any:
        """The value of a fact; None where nobody published it."""
        known = f"known_{name}"
        return getattr(self, known if known in type(self).model_fields else name)

    @property
    def exempt(self) -> bool:
        """True where silence about a fact says nothing, as for a machine that only stands for another."""
        return False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        unknown = sorted(set(self.unpublished) - set(self.fact_names()))
        both = sorted(set(self.unpublished) & set(self.provenance))
        silent = sorted(set(self.must_say()) - set(self.unpublished) - set(self.provenance))
        if unknown:
            raise ValueError(f"`unpublished` names {', '.join(unknown)}, which no such file has")
        if both:
            raise ValueError(f"{', '.join(both)} is a fact and named in `unpublished` too")
        if silent and not self.exempt:
            raise ValueError(f"{', '.join(silent)} is neither a fact nor named in `unpublished`")
        return self
