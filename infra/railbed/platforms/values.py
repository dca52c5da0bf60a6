"""Between Pulumi's property values and plain JSON data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

UNKNOWN = rpc.UNKNOWN
"""Stands for a value that is only known after the update; also how an unknown input arrives."""


def to_plain(value: PropertyValue) -> Any:
    """JSON data of a property value; whole numbers become int."""
    inner = value.value
    if isinstance(inner, Mapping):
        return {key: to_plain(item) for key, item in inner.items()}
    if isinstance(inner, tuple):
        return [to_plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    return inner


def from_plain(value: Any) -> PropertyValue:
    """Property value of JSON data; Pulumi knows no integers."""
    if isinstance(value, Mapping):
        return PropertyValue({key: from_plain(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([from_plain(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def map_to_plain(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    return {key: to_plain(value) for key, value in values.items() if not key.startswith("__")}


def map_from_plain(values: Mapping[str, Any]) -> dict[str, PropertyValue]:
    return {key: from_plain(value) for key, value in values.items()}
