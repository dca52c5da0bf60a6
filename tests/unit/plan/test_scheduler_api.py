"""The scheduler's REST interface in spec, plan and classes of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import UsageError
from railbed.software import slurm_api

ROOT = Path(__file__).resolve().parents[3]
CLAIM = "node.scheduler_api"


def made(example: str = "metal-cluster", **changed: Any) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    return plan.plan(spec.from_config({**data, **changed}, "x"))


def test_who_asks_for_it_gets_it_with_its_claim_and_others_do_not() -> None:
    without, asked = made(), made(scheduler_api="socket")
    assert without.scheduler_api == "none" and CLAIM in {one.id for one in without.out_of_scope}
    assert asked.scheduler_api == "socket" and CLAIM in {one.id for one in asked.claims}


@pytest.mark.parametrize(
    ("example", "changed", "code"),
    [
        ("lab-cluster", {"scheduler_api": "socket"}, "UNSUPPORTED"),
        ("aws-hosts", {"scheduler_api": "loopback"}, "SCHEDULER_API"),
        ("metal-cluster", {"scheduler_api": "0.0.0.0:6820"}, "SPEC_INVALID"),
    ],
)
def test_what_cannot_be_is_refused(example: str, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as refused:
        made(example, **changed)
    assert refused.value.code == code and "scheduler_api" in (refused.value.path or "")


@pytest.mark.parametrize(("slurm", "api"), [("22.05.8", "v0.0.38"), ("23.11.4", "v0.0.40"), ("19.05.1", "")])
def test_each_slurm_is_asked_by_its_own_interface(slurm: str, api: str) -> None:
    assert slurm_api.of(slurm) == api
