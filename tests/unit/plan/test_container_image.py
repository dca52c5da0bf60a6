"""The image that a validation starts as a job's container, in spec, plan and contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec
from railbed.contract import Software
from railbed.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
CLAIM = "job.container"
IMAGE = {"path": "/scratch/images/pytorch.sqsh", "sha256": "5e" * 32}


def made(example: str = "metal-cluster", image: Any = IMAGE, **changed: Any) -> plan.ClusterPlan:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    return plan.plan(
        spec.from_config({**data, "software": {**data["software"], "container_image": image}, **changed}, "x")
    )


def outside(made: plan.ClusterPlan) -> str:
    return next((one.reason for one in made.out_of_scope if one.id == CLAIM), "")


def test_who_names_an_image_gets_its_claim_and_it_stands_in_the_contract() -> None:
    asked = made()
    assert CLAIM in {one.id for one in asked.claims} and not outside(asked)
    software = asked.software.model_dump(exclude={"repositories"})
    image = Software(**software, repositories=[]).container_image
    assert image is not None and image.model_dump() == IMAGE


@pytest.mark.parametrize(
    ("example", "image", "why"),
    [
        ("metal-cluster", None, "the spec names no image"),
        ("lab-cluster", IMAGE, "the lab's pyxis and enroot are stand-ins"),
    ],
)
def test_else_it_is_out_of_scope_with_the_reason(example: str, image: Any, why: str) -> None:
    assert outside(made(example, image)).startswith(why)


def test_with_tenants_a_validation_may_start_none() -> None:
    tenants = [{"name": "acme", "members": ["ada"]}]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIReplayedReplayedReplayedReplayedReplayed1"
    asked = made(tenants=tenants, users={"ada": {"keys": [key]}})
    assert outside(asked).startswith("only members of tenants may submit jobs")


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({**IMAGE, "path": "/home/ada/pytorch.sqsh"}, "SPEC_INVALID"),
        ({**IMAGE, "path": "/scratch/../etc/shadow"}, "SPEC_INVALID"),
        ({**IMAGE, "path": "nvcr.io#nvidia/pytorch:25.10-py3"}, "SPEC_INVALID"),
        ({**IMAGE, "sha256": "latest"}, "SPEC_INVALID"),
        ({"path": IMAGE["path"]}, "SPEC_INVALID"),
    ],
)
def test_an_image_elsewhere_or_without_its_hash_is_refused(image: Any, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        made(image=image)
    assert refused.value.code == code and "container_image" in (refused.value.path or "")
