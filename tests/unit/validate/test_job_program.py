"""What the scheduler is given of the reference job, whole, for review; and the program itself, on processors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from railbed.claims import Verdict
from railbed.contract import Machine
from railbed.effects.lab.training import training_path
from railbed.validate import job, job_program
from railbed.validate.job_log import Course, JobLog, Work, checkpoint, pace, resume

DATA = Path(__file__).parent / "data"
TOOLS = Path(__file__).resolve().parents[3] / "tools"
PLACES = {"stack": "/opt/railbed/training", "folder": "/scratch/.railbed-job-1", "log": "0123456789abcdef"}


@pytest.mark.parametrize(("device", "ranks"), [("cpu", 1), ("cuda", 8)])
def test_what_the_scheduler_is_given(device: str, ranks: int) -> None:
    work = Work(["h100-0", "h100-1", "h100-2"], ranks, device)  # type: ignore[arg-type]
    made = job_program.batch(work, **PLACES, reservation="railbed-acceptance")
    golden = DATA / f"job-{device}.txt"
    assert "\n".join(["# sbatch", *made.options, "# script", made.script]) == golden.read_text()


def test_with_spares_the_scheduler_chooses_the_nodes_at_each_attempt() -> None:
    nodes, course = ["h100-0", "h100-1"], Course(steps=300, every=20, dies_at=0, room_bytes=1)
    work = Work(nodes, 1, "cpu", spares=["h100-2"], other_course=course)
    made = job_program.batch(work, **PLACES, limit_s=900.0)
    assert "--nodes=2" in made.options and not [one for one in made.options if "nodelist" in one]
    assert "--steps 300 --checkpoint-every 20 --die-at 0" in made.script and made.timeout_s == 900.0
    assert work.missing(nodes) == work.missing(["h100-0", "h100-2"]) == ""
    assert work.missing(["h100-0"]) == "1 of 2 nodes"
    assert work.missing(["h100-0", "h100-3"]) and work.missing([*nodes, "h100-2"])


def test_a_contract_of_before_trains_on_processors() -> None:
    assert Machine.model_fields["trains_on"].default == "cpu"


def _run(folder: Path, attempt: int) -> list[int]:
    """Two ranks of one attempt, side by side; how each ended. What they said is in ``folder``."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # The program adds the attempt, and the next port may be another program's.
    words = f"--device cpu --folder {folder} --master 127.0.0.1 --port {port - attempt} --steps 12"
    words += " --checkpoint-every 3 --die-at 9 --die-rank 1"
    shared = {
        **os.environ, "PYTHONPATH": str(training_path(TOOLS)), "SLURM_NTASKS": "2", "SLURM_RESTART_COUNT": str(attempt),
        "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    with (folder / "stderr").open("a") as said:
        ranks = [
            subprocess.Popen(
                [sys.executable, job.TRAIN, *words.split()], stderr=said,
                env={**shared, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            ) for rank in range(2)
        ]  # fmt: skip
    return [one.wait(timeout=120) for one in ranks]


@pytest.mark.skipif(
    not training_path(TOOLS).is_dir() or sys.version_info[:2] != (3, 11),
    reason="the lab's training stack (torch for Python 3.11) is not in the cache: `make up` fetches it",
)
def test_the_program_loses_a_rank_and_repeats_its_losses(tmp_path: Path) -> None:
    assert -signal.SIGKILL in _run(tmp_path, 0)
    assert _run(tmp_path, 1) == [0, 0], (tmp_path / "stderr").read_text()
    events = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    log, work = JobLog.read("\n".join(map(json.dumps, events))), Work([socket.gethostname()], 2, "cpu")
    assert len(log.losses[0]) == 8 and len(log.losses[1]) == 6, "every line is read"
    last = [e["sha256"] for e in events if e["event"] == "checkpoint"][-1]
    for outcome in (checkpoint(log, work, last), resume(log, work)):
        assert outcome.verdict is Verdict.PASS, outcome.reason
    assert log.losses[1][8] == log.losses[0][8] and log.losses[1][12] < log.losses[0][1]
    found = pace(log)
    assert (found["backend"], found["ranks"], found["steps"], found["peak_bytes"]) == ("gloo", 2, 10, None)
