"""The reference job on a replayed cluster: what `sbatch`, `scontrol show job` and the job's files say.

The log has the form that ``infra/railbed/validate/node/train.py`` writes; on GPUs it was never run, so losses, times and sizes
are built. `scontrol show job -o` is one line of key=value (slurm.schedmd.com/scontrol.html).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.support.replay.jobs import RANKS, Jobs, Said

STEP_S, SAVE_S, BYTES, PEAK = 0.052, 1.9, 1_746_000_000, 21_474_836_480
NUMBER = "4711"


class Training:
    """``job`` of a table: ``other_loss`` after the resume, ``no_cuda``, ``read_otherwise``, ``not_requeued``."""

    def __init__(self, jobs: Jobs, table: dict[str, Any]) -> None:
        self.jobs = jobs
        self.table: dict[str, Any] = table.get("job", {})
        self.progress, self.output = "", ""
        self.digest = hashlib.sha256(b"the last checkpoint").hexdigest()

    def submitted(self, words: list[str], script: str) -> Said:
        """Takes the job, which has run by the time it is asked for."""
        named = {word.partition("=")[0]: word.partition("=")[2] for word in words if word.startswith("--")}
        nodes = named["--nodelist"].split(",")
        wanted = {
            "--exclusive": "",
            "--mem": "0",
            "--gpus-per-node": str(RANKS),
            "--ntasks-per-node": str(RANKS),
        }
        assert wanted.items() <= named.items() and "--device cuda" in script, (named, script)
        log = re.search(r"NCCL_DEBUG_FILE=(\S+)", script)
        assert log is not None, script
        if self.table.get("no_cuda"):
            self.output = "RuntimeError: No CUDA GPUs are available\nsrun: error: h100-0: task 0: Exited with exit code 1\n"
            return 0, f"{NUMBER}\n", ""
        for name in nodes:
            self.jobs.logs[name, log[1]] = self.jobs.nccl_log(name, nodes)
        said = {name: int(number) for name, number in re.findall(r"--([a-z-]+) (\d+)", script)}
        events = self._attempt(0, nodes, 1, said["die-at"] - 1, said)
        saved = (said["die-at"] - 1) // said["checkpoint-every"] * said["checkpoint-every"]
        if not self.table.get("not_requeued"):
            events += self._attempt(1, nodes, saved + 1, said["steps"], said)
        self.progress = "".join(json.dumps(event) + "\n" for event in events)
        return 0, f"{NUMBER}\n", ""

    def _attempt(
        self, attempt: int, nodes: list[str], first: int, last: int, said: dict[str, int]
    ) -> list[dict[str, Any]]:
        hosts = [name for name in nodes for _ in range(RANKS)]
        events: list[dict[str, Any]] = [
            {"event": "start", "hosts": hosts, "first_step": first, "backend": "nccl", "device": "NVIDIA H100 80GB HBM3",
             "tokens": 8192, "torch": "2.15.0+cu132"}
        ]  # fmt: skip
        for step in range(first, last + 1):
            loss = 10.4 - 0.05 * step + (0.2 if attempt and self.table.get("other_loss") else 0.0)
            events.append({"event": "step", "step": step, "loss": loss, "seconds": STEP_S})
            if step % said["checkpoint-every"] == 0:
                digest = (
                    self.digest if step == said["steps"] else hashlib.sha256(str(step).encode()).hexdigest()
                )
                events.append(
                    {"event": "checkpoint", "step": step, "seconds": SAVE_S, "bytes": BYTES, "sha256": digest}
                )
        if last == said["steps"]:
            events.append(
                {"event": "done", "step": last, "compute_s": [STEP_S * 0.9] * len(hosts), "peak_bytes": PEAK}
            )
        return [{**event, "attempt": attempt} for event in events]

    def state(self, job: str) -> Said:
        """The job after its end."""
        assert job == NUMBER, job
        whole = self.progress and not self.table.get("not_requeued")
        state, restarts = ("COMPLETED", 1) if whole else ("FAILED", 0)
        return 0, f"JobId={NUMBER} JobName=railbed-reference-job JobState={state} Restarts={restarts}\n", ""

    def read(self, node: str, words: list[str]) -> Said:
        """The job's files on another node."""
        name = words[-1].rpartition("/")[2]
        if name == "job.out":
            return 0, self.output, ""
        if name == "progress.jsonl" and self.progress:
            return 0, self.progress, ""
        if name == "checkpoint.pt" and self.progress:
            return 0, f"{'0' * 64 if self.table.get('read_otherwise') else self.digest}  {words[-1]}\n", ""
        return 1, "", f"{words[0]}: {words[-1]}: No such file or directory\n"
