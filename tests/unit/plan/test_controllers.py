"""How many controllers a plan asks for: one, or a pair where many nodes hang on it and its state outlives one of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import SpecError
from railbed.spec.controllers import CONTROLLER_PAIR_NODES

ROOT = Path(__file__).resolve().parents[3]


def example(name: str, nodes: int, spares: int = 0) -> dict[str, Any]:
    """The example with one pool of that size, and no job that would need more."""
    data: dict[str, Any] = copy.deepcopy(
        yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text())["config"]["railbed:cluster"]
    )
    data["workloads"] = []
    data["pools"][0].update(nodes=nodes, spares=spares)
    return data


def planned(data: dict[str, Any]) -> plan.ClusterPlan:
    return plan.plan(spec.from_config(data, "x"))


def codes(made: plan.ClusterPlan) -> list[str]:
    return [warned.code for warned in made.warnings]


@pytest.mark.parametrize(
    ("nodes", "spares", "names"),
    [(1, 0, ["ctl0"]), (63, 0, ["ctl0"]), (62, 2, ["ctl0", "ctl1"]), (64, 0, ["ctl0", "ctl1"]), (512, 4, ["ctl0", "ctl1"])],
)  # fmt: skip
def test_a_pair_from_sixty_four_nodes_spares_included(nodes: int, spares: int, names: list[str]) -> None:
    made = planned(example("aws-cluster", nodes, spares))
    assert plan.controller_names(made) == names
    assert set(names) <= plan.names(made)
    assert (nodes + spares >= CONTROLLER_PAIR_NODES) == (len(names) == 2)
    assert "ONE_CONTROLLER" not in codes(made)


def test_without_a_filesystem_for_its_state_there_is_one_and_the_plan_says_how_to_have_two() -> None:
    data = example("aws-cluster", 64)
    data["filesystems"] = []
    made = planned(data)
    assert plan.controller_names(made) == ["ctl0"]
    (warned,) = [one for one in made.warnings if one.code == "ONE_CONTROLLER"]
    assert warned.path.endswith(".filesystems")
    assert "filesystems" in warned.message


def test_hosts_by_themselves_have_none() -> None:
    data = example("aws-hosts", 128)
    assert plan.controller_names(planned(data)) == []


def test_a_lab_keeps_one() -> None:
    made = planned(example("lab-cluster", 70))
    assert plan.controller_names(made) == ["ctl0"]
    assert [host.name for host in plan.hosts(made) if host.role == "controller"] == ["ctl0"]
    assert "ONE_CONTROLLER" not in codes(made)


def test_metal_names_a_machine_for_each() -> None:
    data = yaml.safe_load((ROOT / "examples/metal-cluster.yaml").read_text())["config"]["railbed:cluster"]
    assert plan.controller_names(planned(data)) == ["ctl0", "ctl1"]
    data["platform"]["machines"] = [one for one in data["platform"]["machines"] if one["name"] != "ctl1"]
    with pytest.raises(SpecError, match="without a machine: ctl1") as refused:
        spec.from_config(data, "x")
    assert "ctl1" in str(refused.value.allowed)


def test_no_pool_may_be_called_as_the_second_controller_is() -> None:
    data = example("aws-cluster", 2)
    data["pools"][0]["name"] = "controller-1"
    with pytest.raises(SpecError, match="reserved"):
        spec.from_config(data, "x")


def test_the_pair_is_named_among_what_the_price_leaves_out() -> None:
    made = planned(example("aws-cluster", 64))
    assert made.price is not None and "2 × controller" in made.price.unknown
    hosts = planned(example("aws-hosts", 64))
    assert hosts.price is not None and not any("controller" in part for part in hosts.price.unknown)
