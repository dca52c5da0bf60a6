"""Batch scripts to begin with: whole, for this cluster, and nothing of railbed's own left to fill in."""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.unit.operate.test_tenants import tenancy, tenant
from tests.unit.validate.conftest import contract

from railbed.contract import Contract
from railbed.errors import UsageError
from railbed.toolbox.job_scripts import KINDS, script

__all__ = ["contract"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_a_whole_script_of_this_cluster(contract: Contract, kind: str) -> None:
    text = script(contract, kind)
    assert text.startswith("#!/bin/bash\n") and "\n#SBATCH --partition=batch\n" in text
    assert "--time=" in text, "nothing without an end fits a tenant's budget"
    assert contract.software.training_stack_path in text or kind == "array"
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    for program in re.findall(r"<<'PYTHON'[^\n]*\n(.*?)\nPYTHON\n", text, re.S):
        compile(program, kind, "exec")


def test_a_tenant_of_pools_has_its_account_and_partition(contract: Contract) -> None:
    with_people = contract.model_copy(update={"tenancy": tenancy(tenant("acme", ["alice"], pools=["h100"]))})
    text = script(with_people, "torchrun", tenant="acme", nodes=3)
    assert "\n#SBATCH --partition=h100\n#SBATCH --account=acme\n#SBATCH --nodes=3\n" in text
    assert "--gpus-per-node=8\n" in text


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [
        ("quantum", {}, "JOB_KIND"), ("torchrun", {"nodes": 4}, "JOB_NODES"), ("torchrun", {"nodes": 0}, "JOB_NODES"),
        ("array", {"tenant": "nobody"}, "TENANT_UNKNOWN"),
    ],
)  # fmt: skip
def test_what_the_cluster_does_not_have_is_refused(
    contract: Contract, kind: str, more: dict[str, object], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        script(contract, kind, **more)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_another_scheduler_has_no_batch_scripts(contract: Contract) -> None:
    with pytest.raises(UsageError, match="Slurm"):
        script(contract.model_copy(update={"scheduler": "none"}), "array")
