"""docs/howto/add-a-machine.md, performed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

KEY = "metal/example-8h100"
FILES = 1


def test_a_machine_is_one_file_and_a_spec_can_name_it(follow: Callable[..., Any]) -> None:
    tree = follow("add-a-machine", "infra/railbed", "examples")
    assert "**one file**" in tree.page
    assert len(tree.files) == FILES

    spec = tree.root / "examples/metal-hosts.yaml"
    data = yaml.safe_load(spec.read_text())
    pools = data["config"]["railbed:cluster"]["pools"]
    pools[:] = [{**pool, "machine": KEY} for pool in pools]
    spec.write_text(yaml.safe_dump(data))
    planned = tree.railbed("plan", "--spec", str(spec), "--json")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert {pool["machine"] for pool in json.loads(planned.stdout)["pools"]} == {KEY}

    case = ("--nodes", "4", "--collective", "all_reduce", "--size", str(8 << 30), "--json")
    expected = json.loads(tree.railbed("bandwidth", "expect", "--machine", KEY, *case).stdout)
    assert (expected["basis"], expected["floor_gbytes_per_s"] > 0) == ("family", True)


def test_a_fact_without_a_source_is_refused_by_its_name(follow: Callable[..., Any]) -> None:
    tree = follow("add-a-machine", "infra/railbed")
    file = tree.root / tree.files[0]
    file.write_text(file.read_text().replace("cpus: {value: 112, source: sheet}", "cpus: {value: 112}"))
    shown = tree.railbed("catalog", "show", KEY, "--json")
    assert shown.returncode == 2
    assert json.loads(shown.stdout)["error"]["path"].endswith("metal/example-8h100.yaml:facts.cpus")
