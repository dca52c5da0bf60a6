"""Trees of switches, or blocks that stay whole: as the spec asks, else a tree; and what Slurm is too old for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.errors import SpecError, UsageError
from railbed.plan import topology

ROOT = Path(__file__).resolve().parents[3]


def made(example: str = "gcp-cluster", **changed: Any) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    return plan.plan(spec.from_config({**data, **changed}, "x"))


@pytest.mark.parametrize(
    ("asked", "found"), [(None, "tree"), ("auto", "tree"), ("tree", "tree"), ("block", "block")]
)
def test_a_spec_chooses(asked: str | None, found: str) -> None:
    data = yaml.safe_load((ROOT / "examples/gcp-cluster.yaml").read_text())["config"]["railbed:cluster"]
    wanted = spec.from_config({**data, **({"job_topology": asked} if asked else {})}, "x")
    assert topology.of(wanted, "24.05.0", "x") == found


def test_blocks_are_taken_from_the_first_slurm_that_has_their_sizes() -> None:
    data = yaml.safe_load((ROOT / "examples/gcp-cluster.yaml").read_text())["config"]["railbed:cluster"]
    wanted = spec.from_config({**data, "job_topology": "block"}, "x")
    assert topology.of(wanted, "24.05.0", "x") == "block"
    for older in ("23.11.11", ""):
        with pytest.raises(UsageError, match="takes no BlockSizes"):
            topology.of(wanted, older, "x")


@pytest.mark.parametrize(("example", "slurm"), [("lab-cluster", "22.05.8"), ("gcp-cluster", "23.11.4")])
def test_blocks_of_a_slurm_that_has_none_are_refused_before_anything_is_made(
    example: str, slurm: str
) -> None:
    with pytest.raises(UsageError, match=rf"Slurm {slurm} takes no BlockSizes") as refused:
        made(example, job_topology="block")
    assert refused.value.code == "JOB_TOPOLOGY" and refused.value.path.endswith(".job_topology")


def test_no_other_word_is_taken() -> None:
    with pytest.raises(SpecError):
        made(job_topology="ring")
