"""Every example plans, and together they are what a team would look for: each platform, each service, the flagship."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from railbed import plan as plans
from railbed import spec
from railbed.spec.metal import MetalPlatform
from railbed.spec.platforms import CLOUDS, Cloud

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
WHOLE_MACHINES = [
    get_args(one.model_fields["kind"].annotation)[0]
    for one in (MetalPlatform, *get_args(Cloud))
    if one.whole_machines
]
SECRET_WORDS = ("PRIVATE KEY", "AKIA", "password")

each = pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)


def planned(file: Path) -> plans.ClusterPlan:
    return plans.plan(spec.load(file), f"{file.name}:railbed:cluster")


@each
def test_it_plans_and_acknowledges_what_it_buys(file: Path) -> None:
    plan = planned(file)
    plans.require_acknowledged(plan)
    kind, service = file.stem.split("-")
    assert plan.platform == kind
    assert service in (
        plan.service,
        "flagship",
        f"{plan.hosts}s",
        "finetuning" if plan.finetuning else "",
        "inference" if plan.inference else "",
        "scientific" if plan.science else "",
    )
    assert not any(word in file.read_text() for word in SECRET_WORDS)


@pytest.mark.parametrize("kind", [*CLOUDS, "metal"])
def test_each_platform_has_64_nodes_at_3200(kind: str) -> None:
    plan = planned(ROOT / f"examples/{kind}-cluster.yaml")
    assert plan.compute_nodes == 64
    assert plan.fabric is not None
    assert plan.fabric.node_gbps == 3200
    assert plan.spare_nodes > 0
    assert plan.jobs, "a cluster example is for a pre-training job"
    assert plan.filesystems


@pytest.mark.parametrize("kind", [*CLOUDS, "metal"])
def test_each_platform_has_hosts_of_two_tenants(kind: str) -> None:
    plan = planned(ROOT / f"examples/{kind}-hosts.yaml")
    assert len({pool.tenant for pool in plan.pools} - {""}) >= 2
    assert plan.scheduler == "none"


@pytest.mark.parametrize("kind", WHOLE_MACHINES)
def test_each_platform_of_whole_machines_has_them(kind: str) -> None:
    assert planned(ROOT / f"examples/{kind}-metal.yaml").service == "metal"


def test_the_flagship_is_1024_h100_with_spares_for_75_days() -> None:
    plan = planned(ROOT / "examples/aws-flagship.yaml")
    assert sum(pool.nodes * pool.machine.gpus for pool in plan.pools) == 1024
    assert "H100" in plan.pools[0].machine.gpu_model
    job = plan.jobs[0].job
    assert job.days == 75
    assert plan.spare_nodes >= job.spare_nodes > 0
    assert plan.price is not None
    assert plan.price.term
