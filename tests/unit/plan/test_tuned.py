"""What a search found, taken over by the spec: into the contract's settings, refused where no search finds it, and expired."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.test_images import data, made

from railbed import catalog, plan, spec
from railbed.errors import SpecError, Unsupported
from railbed.platforms import assemble

ENTRY = {
    "machine": "metal/hgx-h100-ib", "settings": {"NCCL_IB_QPS_PER_CONNECTION": "4"}, "collective": "alltoall", "nodes": 16,
    "effect_percent": 12.3, "low_percent": 10.1, "high_percent": 14.6, "pairs": 8, "measured": "2026-12-01",
    "versions": {"nccl": "0"},
}  # fmt: skip
EXAMPLE = "metal-cluster"
MACHINE = data(EXAMPLE)["pools"][0]["machine"]


def with_entry(**changed: Any) -> plan.ClusterPlan:
    return made(EXAMPLE, tuning=[{**ENTRY, "machine": MACHINE, **changed}])


def codes(planned: plan.ClusterPlan) -> list[str]:
    return [one.code for one in planned.warnings]


def test_nodes_of_the_machine_get_it_and_lose_it_with_the_entry() -> None:
    before, after = made(EXAMPLE), with_entry()
    assert assemble.machine(after.pools[0].machine).nccl_environment == {
        **assemble.machine(before.pools[0].machine).nccl_environment, **ENTRY["settings"]
    }  # fmt: skip
    assert catalog.load_machine(MACHINE).nccl_environment == before.pools[0].machine.nccl_environment
    assert before.spec_hash == made(EXAMPLE, tuning=[]).spec_hash != after.spec_hash


def test_it_expires_with_the_versions_it_was_measured_with() -> None:
    versions = made(EXAMPLE).software.versions
    assert "TUNING_EXPIRED" in codes(with_entry())
    assert "TUNING_EXPIRED" in codes(with_entry(versions={"nccl": versions["nccl"], "libfabric": "1.22"}))
    assert "TUNING_EXPIRED" not in codes(with_entry(versions={"nccl": versions["nccl"]}))


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": "aws/p5.48xlarge"}, {"settings": {"NCCL_IB_QPS_PER_CONNECTION": "3"}}, {"settings": {"NCCL_ALGO": "Ring"}},
        {"settings": {"LD_PRELOAD": "x"}}, {"settings": {}}, {"pairs": 3}, {"low_percent": -1.0}, {"measured": "today"},
        {"versions": {}}, {"collective": "gather"},
    ],
)  # fmt: skip
def test_what_no_search_finds_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        with_entry(**changed)


def test_one_setting_is_said_once() -> None:
    with pytest.raises(SpecError, match="twice"):
        made(EXAMPLE, tuning=[{**ENTRY, "machine": MACHINE}, {**ENTRY, "machine": MACHINE}])


def test_nodes_that_railbed_does_not_configure_have_no_settings_of_it() -> None:
    wanted = data("kubernetes-cluster")
    with pytest.raises(Unsupported):
        plan.plan(
            spec.from_config({**wanted, "tuning": [{**ENTRY, "machine": wanted["pools"][0]["machine"]}]}, "x")
        )
