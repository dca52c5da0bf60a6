"""The purchase guard: typed acknowledgements, budgets, spot under a long job, dates that hold."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan as plans
from railbed import spec
from railbed.errors import SpecError

ROOT = Path(__file__).parents[3]
BLOCK = {"kind": "block", "id": "cr-1", "starts": "2027-01-01", "ends": "2027-06-01"}
WORDS = "16 x aws/p5.48xlarge in cr-1 from 2027-01-01 to 2027-06-01"


def changes(**changed: Any) -> dict[str, Any]:
    """Sixteen p5 nodes on AWS for 75 days of pre-training."""
    base = {
        "version": 1, "name": "a", "service": "cluster", "scheduler": "slurm",
        "platform": {"kind": "aws", "region": "us-east-2", "zone": "us-east-2a", "account": "123456789012", "image": "ami-1"},
        "pools": [{"name": "h100", "machine": "aws/p5.48xlarge", "nodes": 14, "spares": 2}],
        "fabric": {"rails": 8, "node_gbps": 3200.0},
        "software": {"release": "2026.11"},
        "workloads": [{"kind": "pretraining", "gpus": 112, "days": 75.0}],
    }  # fmt: skip
    return {**copy.deepcopy(base), **changed}


def pool(**capacity: Any) -> list[dict[str, Any]]:
    return [{"name": "h100", "machine": "aws/p5.48xlarge", "nodes": 14, "spares": 2, "capacity": capacity}]


def planned(data: dict[str, Any]) -> plans.ClusterPlan:
    return plans.plan(spec.from_config(data, "x"), "x")


def test_a_block_is_bought_only_with_its_own_words() -> None:
    bare = planned(changes(pools=pool(**BLOCK)))
    assert [one.words for one in bare.purchases] == [WORDS]
    assert "NOT_ACKNOWLEDGED" in [one.code for one in bare.warnings]
    with pytest.raises(SpecError) as refused:
        plans.require_acknowledged(bare)
    assert (refused.value.code, refused.value.allowed) == ("NOT_ACKNOWLEDGED", WORDS)
    with pytest.raises(SpecError):
        plans.require_acknowledged(
            planned(changes(pools=pool(**BLOCK), acknowledge=[WORDS.replace("16", "15")]))
        )
    plans.require_acknowledged(planned(changes(pools=pool(**BLOCK), acknowledge=[WORDS])))


def test_overwriting_disks_is_acknowledged_too() -> None:
    data = yaml.safe_load((ROOT / "examples/metal-metal.yaml").read_text())["config"]["railbed:cluster"]
    plans.require_acknowledged(planned(data))
    del data["acknowledge"]
    with pytest.raises(SpecError, match="does not acknowledge"):
        plans.require_acknowledged(planned(data))


@pytest.mark.parametrize(
    ("budget", "key"), [({"hourly_usd": 800.0}, "hourly_usd"), ({"term_usd": 1_500_000.0}, "term_usd")]
)
def test_a_budget_refuses_the_plan(budget: dict[str, float], key: str) -> None:
    with pytest.raises(SpecError) as refused:
        planned(changes(budget=budget))
    assert refused.value.code == "BUDGET"
    assert refused.value.path == f"x.budget.{key}"
    assert refused.value.found > next(iter(budget.values()))


def test_a_budget_that_holds_changes_nothing() -> None:
    free, reserved = (
        planned(changes()),
        planned(changes(budget={"hourly_usd": 1000.0, "term_usd": 2_000_000.0})),
    )
    assert free.price == reserved.price
    assert reserved.price is not None
    assert reserved.price.hourly == pytest.approx(16 * 55.04)


def test_spot_is_refused_under_pretraining_and_taken_without() -> None:
    with pytest.raises(SpecError) as refused:
        planned(changes(pools=pool(kind="spot")))
    assert refused.value.code == "SPOT_PRETRAINING"
    assert planned(changes(pools=pool(kind="spot"), workloads=[])).pools[0].capacity.kind == "spot"


@pytest.mark.parametrize(
    ("dates", "code"),
    [
        ({"starts": "2027-01-01", "ends": "2027-03-01"}, "CAPACITY_TOO_SHORT"),
        ({"starts": "2027-03-01", "ends": "2027-01-01"}, "SPEC_INVALID"),
        ({"starts": "2027-02-30", "ends": "2027-03-01"}, "SPEC_INVALID"),
    ],
)
def test_capacity_that_ends_before_the_job_is_refused(dates: dict[str, str], code: str) -> None:
    with pytest.raises(SpecError) as refused:
        planned(changes(pools=pool(kind="reservation", id="cr-1", **dates)))
    assert refused.value.code == code
    planned(changes(pools=pool(kind="reservation", id="cr-1", starts="2027-01-01", ends="2027-03-17")))


def test_the_fabric_s_rate_must_be_the_shape_s() -> None:
    with pytest.raises(SpecError) as refused:
        planned(changes(platform={**changes()["platform"], "kind": "gcp", "account": "acme-train"},
                     pools=[{"name": "h100", "machine": "gcp/a3-megagpu-8g", "nodes": 14}]))  # fmt: skip
    assert refused.value.code == "SPEC_SUM"
    assert refused.value.allowed == 1600


def test_dates_are_read_from_yaml_and_from_the_engine_alike() -> None:
    text = yaml.safe_load("{kind: reservation, id: cr-1, starts: 2027-01-01, ends: 2027-06-01}")
    as_dates = spec.from_config(changes(pools=pool(**text)), "x")
    as_text = spec.from_config(
        changes(pools=pool(kind="reservation", id="cr-1", starts="2027-01-01", ends="2027-06-01")), "x"
    )
    assert spec.spec_hash(as_dates) == spec.spec_hash(as_text)


def test_a_price_says_where_and_when_it_was_read() -> None:
    price = planned(changes()).price
    assert price is not None
    assert "us-east-1, as of 2026-" in price.note
    assert price.as_text().startswith("880.64 USD/h, 1,585,152 USD for the term (list price")
    free = plans.plan(spec.load(ROOT / "examples/lab-cluster.yaml")).price
    assert free is not None
    assert free.as_text() == "0 USD/h (runs on this machine)"
