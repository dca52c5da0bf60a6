"""The list of a report's files with their digests: what a certificate covers beside `report.json`. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from railbed.claims import FrozenModel
from railbed.text import one_line

SCHEMA = "railbed/manifest/v1"
MAX_PATH_CHARACTERS = 1024
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def readable(text: str) -> str:
    """``text`` where it is one line without a character that a terminal or a reader obeys. Raises ValueError."""
    if not one_line(text):
        raise ValueError("holds a control character")
    return text


def _inside(path: str) -> str:
    """A path below the report's folder. Raises ValueError for one that leads out of it."""
    parts = path.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError("not a path below the report's folder")
    return readable(path)


Inside = Annotated[str, Field(max_length=MAX_PATH_CHARACTERS), AfterValidator(_inside)]


class Entry(FrozenModel):
    """One file."""

    path: Inside
    """Relative to the report's folder, with slashes."""
    sha256: Sha256
    bytes: int = Field(ge=0)


class Manifest(FrozenModel):
    """Every file of a report's folder but `report.json`, whose digest the certificate has itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    schema_: Literal["railbed/manifest/v1"] = Field(default="railbed/manifest/v1", alias="schema")
    files: list[Entry]

    @property
    def total_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(entry.bytes for entry in self.files)
