"""Recorded inputs against Azure's own API model, as ``azure-mgmt-compute`` ships it: names, types, values that are allowed.

It covers Microsoft.Compute; PyPI's models of the other services are not installed.
"""

from __future__ import annotations

import enum
import types
import typing
from typing import Any

import azure.mgmt.compute.models as models
from azure.mgmt.compute.models import _models

MODELS: dict[str, type] = {
    ":VirtualMachineScaleSet": models.VirtualMachineScaleSet,
    ":VirtualMachine": models.VirtualMachine,
    ":DiskEncryptionSet": models.DiskEncryptionSet,
}
"""Resource → what the API takes for it."""
PATH_WORDS = {"resourceGroupName", "vmScaleSetName", "vmName", "diskEncryptionSetName"}
"""They stand in the request's path."""
OPEN = ("vmSize",)
"""Lists of values that the API no longer keeps (its own words of ``VirtualMachineSizeTypes``: deprecated)."""
NAMES = {**vars(_models), "_models": models}
PLAIN = {str: str, int: (int, float), float: (int, float), bool: bool}


def problems(typ: str, inputs: dict[str, Any]) -> list[str]:
    """What the API would not take of a resource's inputs; [] for types of other services."""
    model = next((found for ending, found in MODELS.items() if typ.endswith(ending)), None)
    if model is None:
        return []
    return _problems(model, {key: item for key, item in inputs.items() if key not in PATH_WORDS}, typ)


def _fields(model: type) -> dict[str, Any]:
    """REST name → type; what stands in ``properties`` is taken up, as the engine's provider does."""
    hints = typing.get_type_hints(model, globalns=NAMES)
    rest = model({})._attr_to_rest_field  # type: ignore[call-arg]
    found = {field._rest_name: hints[name] for name, field in rest.items()}
    inner = _bare(found.get("properties", str))
    return {**found, **(_fields(inner) if _is_model(inner) else {})}


def _problems(model: type, inputs: dict[str, Any], at: str) -> list[str]:
    known, found = _fields(model), []
    for key, item in inputs.items():
        if key not in known:
            found.append(f"{at}: {model.__name__} has no {key}")
        else:
            found += _value(known[key], item, f"{at}.{key}")
    return found


def _value(kind: Any, item: Any, at: str) -> list[str]:
    kinds = [one for one in _alternatives(kind) if one is not type(None)]
    if any(_is_model(one) for one in kinds) and isinstance(item, dict):
        return _problems(next(one for one in kinds if _is_model(one)), item, at)
    if any(typing.get_origin(one) is list for one in kinds):
        (inner,) = typing.get_args(next(one for one in kinds if typing.get_origin(one) is list))
        if not isinstance(item, list):
            return [f"{at}: not a list"]
        return [said for place, one in enumerate(item) for said in _value(inner, one, f"{at}[{place}]")]
    enums = [one for one in kinds if isinstance(one, type) and issubclass(one, enum.Enum)]
    if enums and not at.endswith(OPEN):
        allowed = {one.value for one in enums[0]}
        return [] if item in allowed else [f"{at}: {item!r} is none of {sorted(allowed)}"]
    plain = tuple(PLAIN[one] for one in kinds if one in PLAIN)
    right = any(isinstance(item, one) and not (isinstance(item, bool) and one is not bool) for one in plain)
    return [] if right or not plain else [f"{at}: {item!r} is not {kinds}"]


def _alternatives(kind: Any) -> list[Any]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [inner for one in typing.get_args(kind) for inner in _alternatives(one)]
    return [kind]


def _bare(kind: Any) -> Any:
    return next((one for one in _alternatives(kind) if one is not type(None)), kind)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and kind.__module__.startswith("azure.mgmt.compute.models._models")
