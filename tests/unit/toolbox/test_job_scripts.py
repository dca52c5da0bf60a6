"""Batch scripts to begin with: whole, for this cluster, and nothing of railbed's own left to fill in."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.operate.test_tenants import tenancy, tenant
from tests.unit.validate.conftest import contract

from railbed.contract import Contract
from railbed.errors import UsageError
from railbed.parse import swap_contract
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


@pytest.mark.parametrize(
    ("trained", "answers", "waits", "status"),
    [(0, 0, False, 0), (3, 0, False, 3), (3, 1, True, 3)],
    ids=["done", "the program failed", "a node died"],
)
def test_a_job_that_a_dead_node_ended_waits_for_its_requeue(
    contract: Contract, tmp_path: Path, trained: int, answers: int, waits: bool, status: int
) -> None:
    """It would end as failed, where Slurm requeues what runs when it notices the node."""
    srun = f'case "$*" in *torch.distributed*) exit {trained};; *) exit {answers};; esac'
    programs = {
        "srun": srun,
        "scontrol": "echo h100-0",
        "sleep": "echo slept $1",
        "timeout": 'shift; exec "$@"',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    given = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "h100-[0-1]", "SLURM_JOB_NUM_NODES": "2"}
    done = subprocess.run(
        ["bash"], input=script(contract, "torchrun"), text=True, capture_output=True, check=False, cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_SUBMIT_DIR": str(tmp_path), **given},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert ("slept 900" in done.stdout) is waits and ("\ndone\n" in done.stdout) is (status == 0)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed here")
def test_a_fine_tuning_that_was_ended_goes_on_to_the_same_adapter(contract: Contract, tmp_path: Path) -> None:
    """The script's own program: half of it, the rest after a requeue, and the whole at once end with the same loss."""
    found = re.search(r"<<'PYTHON'[^\n]*\n(.*?)\nPYTHON\n", script(contract, "lora"), re.S)
    assert found and "STEPS, EVERY, THIN, SCALE = 60, 10," in found[1]

    def train(folder: Path, steps: int) -> list[str]:
        folder.mkdir(exist_ok=True)
        program = found[1].replace("SCALE = 60, 10,", f"SCALE = {steps}, 10,")
        (folder / "train.py").write_text(program)
        done = subprocess.run(
            [sys.executable, str(folder / "train.py")], text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    train(tmp_path / "parts", 10)
    parts, whole = train(tmp_path / "parts", 20), train(tmp_path / "whole", 20)
    assert (
        "goes on from step 10" in parts and parts[-1] == whole[-1] and whole[-1].startswith("step 20 loss ")
    )
    assert (tmp_path / "parts/adapter.pt").stat().st_size < 100_000, "the model itself is not in it"


def torchrun(contract: Contract, folder: Path, nodes: str, srun: str) -> list[str]:
    """Command line of a job in ``folder`` whose `srun` does that; `scontrol requeue` is written down."""
    (folder / "bin").mkdir(exist_ok=True)
    programs = {
        "srun": srun,
        "scontrol": f'case $1 in show) printf "%s\\n" {nodes};; requeue) echo "$2" > requeued;; esac',
        "timeout": 'shift; exec "$@"',
    }
    for name, text in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    (folder / "job.sh").write_text(script(contract, "torchrun"))
    given = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "x", "SLURM_JOB_NUM_NODES": "2"}
    words = [f"{key}={value}" for key, value in {"PATH": f"{folder}/bin:/usr/bin:/bin", **given}.items()]
    return ["env", "-i", *words, "bash", str(folder / "job.sh")]


def ranks(contract: Contract, folder: Path, nodes: str) -> list[str]:
    subprocess.run(torchrun(contract, folder, nodes, "exit 0"), cwd=folder, check=True, capture_output=True)
    return (folder / "torchrun-7" / "ranks").read_text().split()


def test_a_new_node_gets_the_rank_that_is_free_and_others_keep_theirs(
    contract: Contract, tmp_path: Path
) -> None:
    assert ranks(contract, tmp_path, "h100-0 h100-1 h100-2") == ["h100-0", "h100-1", "h100-2"]
    assert ranks(contract, tmp_path, "h100-0 h100-2 h100-3") == ["h100-0", "h100-3", "h100-2"]
    assert ranks(contract, tmp_path, "a h100-2 h100-3") == ["a", "h100-3", "h100-2"]
    assert ranks(contract, tmp_path, "b c d") == ["b", "c", "d"]
    assert ranks(contract, tmp_path, "b d") == ["b", "d"], "another size begins anew"


ON_EACH = """case "$*" in *torch.distributed*)
  while [ "$1" != bash ]; do shift; done
  for node in h100-0 h100-1; do SLURMD_NODENAME=$node "$@"; done;;
esac"""


def test_each_node_is_started_with_its_place_in_the_order(contract: Contract, tmp_path: Path) -> None:
    command = torchrun(contract, tmp_path, "h100-0 h100-1", ON_EACH)
    (tmp_path / "bin" / "python3").write_text('#!/bin/sh\necho "$SLURMD_NODENAME $*"\n')
    (tmp_path / "bin" / "python3").chmod(0o755)
    (tmp_path / "torchrun-7").mkdir()
    (tmp_path / "torchrun-7" / "ranks").write_text("h100-1\nh100-9\n")
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    for node, rank in (("h100-0", 1), ("h100-1", 0)):
        wanted = rf"^{node} .*--node-rank={rank} --master-addr=h100-1 --master-port=20007"
        assert re.search(wanted, said, re.M), said


WAITS = (
    'case "$*" in *torch.distributed*) touch running; while [ ! -e end ]; do sleep 0.05; done; exit 5;; esac'
)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_script_asks_for_checkpoints_and_queues_itself_again_when_it_is_told_to(
    contract: Contract, tmp_path: Path
) -> None:
    """It hears both signals while the training runs, and ends with what the training ended with."""
    command = torchrun(contract, tmp_path, "h100-0 h100-1", WAITS)
    asked, requeued = tmp_path / "torchrun-7" / "asked", tmp_path / "requeued"
    job = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((tmp_path / "running").exists)
    assert asked.read_text() == "0\n"
    job.send_signal(signal.SIGUSR1)
    until(lambda: asked.read_text() == "1\n")
    job.send_signal(signal.SIGUSR1)
    until(lambda: asked.read_text() == "2\n")
    assert not requeued.exists() and job.poll() is None
    job.send_signal(signal.SIGUSR2)
    until(lambda: requeued.exists() and requeued.read_text() == "7\n")
    assert job.poll() is None, "Slurm ends it, not the script"
    (tmp_path / "end").touch()
    assert job.wait(60) == 5


def test_the_script_opts_in_where_its_marker_is(contract: Contract) -> None:
    text = script(contract, "torchrun")
    comment = re.findall(r"^#SBATCH --comment=(.*)$", text, re.M)
    assert [swap_contract.marker_path(one, "7", "/scratch/ada") for one in comment] == [
        "/scratch/ada/torchrun-7/marker.json"
    ]
    for kind in set(KINDS) - {"torchrun"}:
        assert "swap-at-checkpoint" not in script(contract, kind)
