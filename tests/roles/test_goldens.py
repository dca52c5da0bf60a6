"""Slurm, NCCL, rails and boot line of the examples, as they were reviewed: `goldens/README.md` says against what."""

from __future__ import annotations

import pytest
from tests.roles.goldens import FOLDER, rendered

EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.txt"))


def test_every_kind_of_cluster_has_one() -> None:
    assert {"aws-flagship", "azure-cluster", "gcp-cluster", "oci-cluster", "metal-cluster"} <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_written_is_what_was_reviewed(example: str) -> None:
    found, reviewed = rendered(example), (FOLDER / f"{example}.txt").read_text()
    assert found == reviewed, "reviewed otherwise: see tests/roles/goldens/README.md"
