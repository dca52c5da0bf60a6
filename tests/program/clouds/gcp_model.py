"""Recorded inputs against Google's own API model: the discovery document of Compute Engine v1 that
``google-api-python-client`` ships. Names, types, values that are allowed.

The engine's provider has some words of its own; ``WORDS`` says which of the API's they stand for.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import googleapiclient

SCHEMAS = {
    ":Network": "Network",
    ":Subnetwork": "Subnetwork",
    ":Firewall": "Firewall",
    ":Router": "Router",
    ":RouterNat": "RouterNat",
    ":GlobalAddress": "Address",
    ":ResourcePolicy": "ResourcePolicy",
    ":InstanceTemplate": "InstanceProperties",
    "compute/instance:Instance": "Instance",
    ":InstanceGroupManager": "InstanceGroupManager",
}
WORDS = {
    "Firewall": {"allows": "allowed"},
    "AllowedItem": {"protocol": "IPProtocol"},
    "Instance": {"bootDisk": "disks"},
    "InstanceProperties": {"region": None},
    "AttachedDisk": {
        "sourceImage": "initializeParams.sourceImage", "diskType": "initializeParams.diskType",
        "labels": "initializeParams.labels",
    },
    "AttachedDiskInitializeParams": {"image": "sourceImage", "size": "diskSizeGb", "type": "diskType"},
    "ReservationAffinity": {"type": "consumeReservationType", "specificReservation": None},
    "RouterNat": {"router": None, "region": None},
    "InstanceGroupManager": {"waitForInstances": None},
    "InstanceGroupManagerUpdatePolicy": {"maxSurgeFixed": None, "maxUnavailableFixed": None},
}  # fmt: skip
"""Schema → the provider's word → the API's; None for one that stands in the path, or is taken apart on the way."""
MAPS = ("metadata", "labels", "tags")
"""Maps and lists of the provider that the API wraps."""


@functools.cache
def schemas() -> dict[str, Any]:
    file = Path(googleapiclient.__file__).with_name("discovery_cache") / "documents/compute.v1.json"
    found: dict[str, Any] = json.loads(file.read_text())["schemas"]
    return found


@functools.cache
def methods() -> set[tuple[str, str]]:
    """HTTP method and path of every call of Compute Engine."""
    file = Path(googleapiclient.__file__).with_name("discovery_cache") / "documents/compute.v1.json"
    groups = json.loads(file.read_text())["resources"].values()
    return {(one["httpMethod"], one["path"]) for group in groups for one in group.get("methods", {}).values()}


def problems(typ: str, inputs: dict[str, Any]) -> list[str]:
    """What the API would not take of a resource's inputs; [] for types of other services."""
    name = next((found for ending, found in SCHEMAS.items() if typ.endswith(ending)), None)
    return [] if name is None else _object(name, inputs, typ)


def _object(name: str, inputs: dict[str, Any], at: str) -> list[str]:
    known, words, found = schemas()[name]["properties"], WORDS.get(name, {}), []
    for key, item in inputs.items():
        word = words.get(key, key)
        if word is None or key in MAPS:
            continue
        head, _, rest = word.partition(".")
        if head not in known:
            found.append(f"{at}: {name} has no {key}")
        elif not rest:
            found += _value(known[head], item, f"{at}.{key}")
        elif rest not in schemas()[known[head]["$ref"]]["properties"]:
            found.append(f"{at}: {name} has no {word}")
    return found


def _value(schema: dict[str, Any], item: Any, at: str) -> list[str]:
    if "$ref" in schema:
        return _object(schema["$ref"], item, at)
    if schema.get("type") == "array":
        items = item if isinstance(item, list) else [item]
        return [
            said for place, one in enumerate(items) for said in _value(schema["items"], one, f"{at}[{place}]")
        ]
    allowed = schema.get("enum")
    if allowed and item not in allowed:
        return [f"{at}: {item!r} is none of {allowed}"]
    kinds: dict[str, Any] = {"boolean": bool, "integer": (int, float), "string": (str, int, float)}
    kind = kinds.get(schema.get("type", ""))
    wrong = kind is not None and (not isinstance(item, kind) or (isinstance(item, bool) and kind is not bool))
    return [f"{at}: {item!r} is not {schema['type']}"] if wrong else []
