"""Recorded inputs against Oracle's own API model, as its Python SDK ships it: names, types, values that are allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import oci.bastion.models
import oci.core.models
import oci.lustre_file_storage.models

MODELS: dict[str, tuple[ModuleType, str]] = {
    ":Vcn": (oci.core.models, "CreateVcnDetails"),
    ":Subnet": (oci.core.models, "CreateSubnetDetails"),
    ":NatGateway": (oci.core.models, "CreateNatGatewayDetails"),
    ":RouteTable": (oci.core.models, "CreateRouteTableDetails"),
    ":SecurityList": (oci.core.models, "CreateSecurityListDetails"),
    ":NetworkSecurityGroup": (oci.core.models, "CreateNetworkSecurityGroupDetails"),
    ":NetworkSecurityGroupSecurityRule": (oci.core.models, "AddSecurityRuleDetails"),
    ":InstanceConfiguration": (oci.core.models, "CreateInstanceConfigurationDetails"),
    ":ClusterNetwork": (oci.core.models, "CreateClusterNetworkDetails"),
    ":InstancePool": (oci.core.models, "CreateInstancePoolDetails"),
    ":ComputeCluster": (oci.core.models, "CreateComputeClusterDetails"),
    ":ComputeGpuMemoryCluster": (oci.core.models, "CreateComputeGpuMemoryClusterDetails"),
    ":Instance": (oci.core.models, "LaunchInstanceDetails"),
    ":Bastion": (oci.bastion.models, "CreateBastionDetails"),
    ":FileStorageLustreFileSystem": (oci.lustre_file_storage.models, "CreateLustreFileSystemDetails"),
    ":FileStorageObjectStorageLink": (oci.lustre_file_storage.models, "CreateObjectStorageLinkDetails"),
}
"""Resource → what the API takes for it."""
PATH_PARAMETERS = {":NetworkSecurityGroupSecurityRule": {"networkSecurityGroupId"}}
OWN_WORDS = {":FileStorageObjectStorageLink": {"startImportFromObjectTrigger"}}
"""What the engine's provider turns into calls of its own."""
PLAIN = {"str": str, "int": int, "float": (int, float), "bool": bool}
OTHER_WORDS = {("InstanceSourceViaImageDetails", "sourceId"): "imageId"}
"""The engine's provider has one word for images and boot volumes."""


def problems(typ: str, inputs: dict[str, Any]) -> list[str]:
    """What the API would refuse; a type that this table lacks is one problem."""
    suffix = next((end for end in MODELS if typ.endswith(end)), None)
    if suffix is None:
        return [f"{typ}: no model"]
    module, name = MODELS[suffix]
    left = PATH_PARAMETERS.get(suffix, set()) | OWN_WORDS.get(suffix, set())
    return _object(module, name, {k: v for k, v in inputs.items() if k not in left}, typ)


def _plain(word: str) -> str:
    """Without capitals and plural: the engine's provider writes ``pluginsConfigs`` for ``pluginsConfig``."""
    return word.lower().removesuffix("s")


def _object(module: ModuleType, name: str, value: dict[str, Any], at: str) -> list[str]:
    cls = getattr(module, name)
    if "get_subtype" in vars(cls):
        name = cls.get_subtype(value) if value.keys() & {"sourceType", "instanceType", "source"} else name
        cls = getattr(module, name)
    made = cls()
    names = {_plain(wire): attribute for attribute, wire in made.attribute_map.items()}
    found = []
    for key, item in value.items():
        attribute = names.get(_plain(OTHER_WORDS.get((name, key), key)))
        if attribute is None:
            found.append(f"{at}.{key}: {name} has no such field")
            continue
        found += _value(module, made.swagger_types[attribute], item, f"{at}.{key}")
        words = _allowed(cls, attribute, made.attribute_map)
        if words and isinstance(item, str) and item not in words:
            found.append(f"{at}.{key}: {item} is none of the allowed {sorted(words)}")
    return found


def _allowed(cls: Any, attribute: str, attributes: Iterable[str]) -> set[str]:
    """Values that the SDK has constants for: ``SOURCE_TYPE_…`` are of ``source_type``, not of ``source``."""
    longer = tuple(f"{one.upper()}_" for one in attributes if one.startswith(f"{attribute}_"))
    words = [word for word in dir(cls) if word.startswith(f"{attribute.upper()}_")]
    return {getattr(cls, word) for word in words if not word.startswith(longer)}


def _value(module: ModuleType, kind: str, item: Any, at: str) -> list[str]:
    if kind in PLAIN:
        # The engine's provider gives 64-bit numbers and some booleans as text.
        numeric = isinstance(item, str) and (item.isdigit() or item in ("true", "false")) and kind != "str"
        good = numeric or (isinstance(item, PLAIN[kind]) and (kind == "bool") == isinstance(item, bool))  # type: ignore[arg-type]
        whole = kind == "int" and isinstance(item, float) and item.is_integer()
        return [] if good or whole else [f"{at}: {item!r} is no {kind}"]
    if inner := re.fullmatch(r"list\[(.*)\]", kind):
        if not isinstance(item, list):
            return [f"{at}: {item!r} is no list"]
        return [one for i, part in enumerate(item) for one in _value(module, inner[1], part, f"{at}[{i}]")]
    if kind.startswith("dict("):
        return [] if isinstance(item, dict) else [f"{at}: {item!r} is no object"]
    return _object(module, kind, item, at)
