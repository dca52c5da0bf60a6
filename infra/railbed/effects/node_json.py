"""The one reader of JSON that a node printed. A node may be broken or hostile: size, depth, numbers and shape are bounded.

Callers turn ``Unreadable`` into ``unproven`` for that node alone.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from railbed import strict_json
from railbed.defaults import REPLY_MAX_BYTES, REPLY_MAX_WHOLE
from railbed.errors import UnprovenError
from railbed.text import shown

T = TypeVar("T")

Words = Annotated[str, AfterValidator(shown)]
"""Text that may be shown: one line, bounded, no control characters."""
Whole = Annotated[int, Field(ge=0, le=REPLY_MAX_WHOLE)]
"""A count."""
EXCERPT_CHARACTERS = 80


class Reply(BaseModel):
    """Base of what nodes answer: exact types, finite numbers; keys that nobody reads are let through."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, extra="ignore")


class Unreadable(UnprovenError):
    """What a node printed is not what it was asked for; the message is a sentence that names the node."""

    code = "UNREADABLE"


def read(text: str, kind: TypeAdapter[T], node: str) -> T:
    """The JSON document in ``text``, as ``kind``. Raises Unreadable for anything else.

    Limits: REPLY_MAX_BYTES, and those of ``strict_json``.
    """
    if not text.strip():
        raise Unreadable(f"{node} printed nothing")
    try:
        document = strict_json.loads(text, max_bytes=REPLY_MAX_BYTES)
    except strict_json.NotJson as broken:
        excerpt = shown(text, EXCERPT_CHARACTERS)
        raise Unreadable(f"{node} printed an answer that {broken}: {excerpt}") from None
    try:
        return kind.validate_python(document)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole of it"
        raise Unreadable(
            f"{node} printed another answer than it was asked for ({shown(place, EXCERPT_CHARACTERS)}: {first['msg']})"
        ) from None


def lines(text: str, kind: TypeAdapter[T]) -> list[T]:
    """Every line that is a ``kind``; the others are another program's, or were cut short."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        try:
            found.append(read(line, kind, ""))
        except Unreadable:
            continue
    return found
