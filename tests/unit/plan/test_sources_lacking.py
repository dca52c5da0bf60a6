"""Packages that the roles ask for and no source has: the plan names them before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed import plan, spec

ROOT = Path(__file__).resolve().parents[3]


def warned(example: str, **changed: Any) -> list[str]:
    data = yaml.safe_load((ROOT / f"examples/{example}.yaml").read_text())["config"]["railbed:cluster"]
    made = plan.plan(spec.from_config({**data, **changed}, "x"))
    return [one.message for one in made.warnings if one.code == "NO_SOURCE"]


@pytest.mark.parametrize(
    ("example", "named"),
    [
        ("metal-cluster", ["doca-ofed (ofed", "enroot (enroot", "nvslurm-plugin-pyxis (pyxis"]),
        ("aws-cluster", ["efa (efa_installer", "gdrdrv-dkms (gdrcopy"]),
        ("gcp-cluster", ["nccl-gib (gib"]),
    ],
)
def test_a_plan_names_what_no_source_has_and_the_way_round(example: str, named: list[str]) -> None:
    (message,) = warned(example)
    assert all(one in message for one in named)
    assert "`image`" in message and "`software.mirror`" in message


def test_only_what_the_nodes_get_is_named() -> None:
    (message,) = warned("aws-hosts")
    assert "enroot" in message
    assert "efa" not in message and "pyxis" not in message, "one host each: no fabric and no scheduler"
    assert warned("lab-cluster") == [], "a lab has a source of its own"
