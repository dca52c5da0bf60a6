"""Properties as plain data, and paths through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy.proxy import UnknownValueError


class Unknown:
    """A value that only the update will know. It is there, and true, and equal to nothing."""

    def __repr__(self) -> str:
        return "unknown until the update"


UNKNOWN = Unknown()


def plain(value: Any) -> Any:
    """``value`` as dicts and lists, with UNKNOWN for what a preview cannot know.

    The SDK's own view raises at the first such value, and the engine then turns the whole policy into a warning: a rule
    that reads properties directly would let anything through that stands beside an unknown one.
    """
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_item(value, place) for place in range(len(value))]
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def found(value: Any, path: str) -> Iterator[Any]:
    """Everything at ``path`` (keys between dots); lists on the way are gone through. Nothing there: nothing is given."""
    if isinstance(value, list):
        for one in value:
            yield from found(one, path)
    elif not path:
        if value is not None:
            yield value
    elif value is UNKNOWN:
        yield value
    elif isinstance(value, dict):
        key, _, rest = path.partition(".")
        if value.get(key) is not None:
            # An empty list or dict at the end is still something that is said.
            yield from [value[key]] if not rest and value[key] == [] else found(value[key], rest)


def is_said(value: Any) -> bool:
    """False for what stands for no: False, "false", 0, "", and empty lists."""
    if isinstance(value, str):
        return value.lower() not in ("", "false", "0", "no")
    return bool(value) or isinstance(value, dict)
