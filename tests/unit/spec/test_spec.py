"""What a good spec reads as, what it is worth as a hash, and where its values come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from railbed import spec
from railbed.spec import spares

WHERE = "Pulumi.x.yaml:railbed:cluster"
EXAMPLE = Path(__file__).parents[3] / "examples" / "lab-cluster.yaml"


def test_the_example_holds() -> None:
    read = spec.load(EXAMPLE)
    assert read.name == "lab"
    assert read.platform.kind == "lab"
    assert [(p.name, p.nodes, p.spares) for p in read.pools] == [("h100", 4, 1)]
    assert read.compute_nodes == 4
    assert spares.total(read) == 1


def test_a_whole_number_is_a_rate(data: dict[str, Any]) -> None:
    data["filesystems"][0]["capacity_tib"] = 1
    assert spec.from_config(data, WHERE).filesystems[0].capacity_tib == 1.0


def test_the_spec_is_frozen(data: dict[str, Any]) -> None:
    read = spec.from_config(data, WHERE)
    with pytest.raises(ValidationError):
        read.name = "other"  # type: ignore[misc]


def test_platforms_and_workloads_to_come_are_parsed_as_far_as_promised(data: dict[str, Any]) -> None:
    data["workloads"] = [{"kind": k, "gpus": 8} for k in ("pretraining", "scientific")]
    assert len(spec.from_config(data, WHERE).workloads) == 2
    metal = {
        **data,
        "service": "metal",
        "scheduler": "none",
        "platform": {
            "kind": "metal",
            "machines": [
                {"name": "h100-0", "bmc": "https://10.0.0.9", "serial": "S1", "address": "10.80.0.9"}
            ],
        },
        "pools": [{"name": "h100", "machine": "metal/hgx-h100", "nodes": 1}],
        "fabric": {"rails": 8, "node_gbps": 3200},
        "filesystems": [],
        "workloads": [],
    }
    assert spec.from_config(metal, WHERE).platform.kind == "metal"


def test_hash_is_of_the_meaning(data: dict[str, Any]) -> None:
    base = spec.spec_hash(spec.from_config(data, WHERE))
    reordered = dict(reversed(list(data.items())))
    spelt_out = {**data, "workloads": [], "platform": {"kind": "lab", "rails_cidr": "10.91.0.0/16"}}
    assert spec.spec_hash(spec.from_config(reordered, "elsewhere")) == base
    assert spec.spec_hash(spec.from_config(spelt_out, WHERE)) == base
    data["pools"][0]["nodes"] = 3
    assert spec.spec_hash(spec.from_config(data, WHERE)) != base


def test_explain_names_the_origin_of_each_value(data: dict[str, Any]) -> None:
    rows = {row.path: row for row in spec.explain(spec.from_config(data, WHERE), "Pulumi.x.yaml")}
    assert (rows["pools[0].nodes"].value, rows["pools[0].nodes"].origin) == (4, "spec")
    assert rows["pools[0].nodes"].source == "Pulumi.x.yaml"
    assert rows["platform.rails_cidr"].origin == "default"
    assert rows["access"].origin == "default"
    nic = rows["pools[0].machine.nic_gbps"]
    assert (nic.value, nic.origin) == (0.1, "catalogue")
    assert nic.source.startswith("machines/lab/rail8.yaml: ")
    assert rows["filesystems[0].offer.kind"].value == "moosefs"
    assert rows["software.release.nvidia_driver"].value == "570.124.06"


def test_schema_describes_every_field() -> None:
    schema = spec.schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == [
        "version", "name", "service", "scheduler", "platform", "pools", "software",
    ]  # fmt: skip
    undescribed = [
        f"{name}.{field}"
        for name, model in {**schema["$defs"], "ClusterSpec": schema}.items()
        for field, body in model["properties"].items()
        if "description" not in body and field != "kind" and "$ref" not in body
    ]
    assert undescribed == []
