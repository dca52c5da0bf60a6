"""The lab tier: real stacks of its own on this machine, driven the way a user drives them. Needs root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from railbed.effects.workspace import Workspace
from railbed.parse import slurm

ROOT = Path(__file__).resolve().parents[2]
RAILBED = Path(sys.prefix) / "bin" / "railbed"
TIMEOUT_S = 1200
UNPROVEN = 3
TRIES = 3
"""What a busy machine left unproven is tried again, as its operator would; a verdict is never tried again."""


@dataclass
class Cli:
    """`railbed` on one stack of one checkout."""

    work: Workspace
    up: dict[str, Any] = field(default_factory=dict)
    """What the first `up` said, as JSON."""

    def __call__(
        self, *words: str, status: int | None = 0, timeout_s: float = TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command; fails the test with its output, but for the claims that pass, when the exit status is another one."""
        done = subprocess.run(
            [str(RAILBED), *words, "--stack", self.work.stack], cwd=self.work.root, text=True, capture_output=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
        said = (
            f"{' '.join(words)} ended with {done.returncode}:\n{without_passes(done.stdout)}\n{done.stderr}"
        )
        assert status is None or done.returncode == status, said
        assert "Traceback" not in done.stderr, said
        return done

    def json(self, *words: str, status: int | None = 0) -> Any:
        return json.loads(self(*words, "--json", status=status).stdout)

    def settled(self, *words: str, status: int | None = 0) -> Iterator[Any]:
        """What a command with a verdict said, try by try; the last one's exit status is ``status``."""
        for left in reversed(range(TRIES)):
            done = self(*words, "--json", status=None)
            again = done.returncode == UNPROVEN and status not in (None, UNPROVEN) and left
            said = without_passes(done.stdout)
            assert again or status in (None, done.returncode), (
                f"{' '.join(words)} ended with {done.returncode}:\n{said}\n{done.stderr}"
            )
            yield json.loads(done.stdout)
            if not again:
                return
            warnings.warn(f"tried again, as it was unproven: railbed {' '.join(words)}\n{said}", stacklevel=3)

    def report(self, *words: str, status: int | None = 0) -> Any:
        """The report of a validation."""
        return list(self.settled("validate", *words, status=status))[-1]

    def build(self) -> Any:
        """What `up` changed, with the verdict that it came to."""
        first, *again = self.settled("up")
        return {**first, "validate": again[-1]["validate"]} if again else first

    def ssh(self, node: str, command: str, timeout_s: float = 60, *, may_fail: bool = False) -> str:
        """What the command printed on the node; ``may_fail`` where its failure is what is looked at."""
        return subprocess.run(
            ["ssh", "-F", str(self.work.ssh_config), node, command], text=True, capture_output=True, timeout=timeout_s,
            check=not may_fail,
        ).stdout  # fmt: skip


def write_spec(work: Workspace, *, nodes: int, spares: int) -> None:
    """The example's spec in another size, as this stack's file."""
    document = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())
    cluster = document["config"]["railbed:cluster"]
    cluster["pools"][0].update(nodes=nodes, spares=spares)
    if nodes < 3:
        cluster["filesystems"] = []
    work.stack_file.write_text(yaml.safe_dump(document))


@contextmanager
def stacks() -> Iterator[Callable[..., Cli]]:
    """Makes stacks: ``make("test-kill", nodes=1, spares=0)``; every one is destroyed at the end, whatever happened."""
    assert os.geteuid() == 0, "the lab tier needs root"
    made: list[Cli] = []

    def make(name: str, *, nodes: int, spares: int, root: Path = ROOT) -> Cli:
        cli = Cli(Workspace(root, name))
        write_spec(cli.work, nodes=nodes, spares=spares)
        made.append(cli)
        return cli

    try:
        yield make
    finally:
        for cli in made:
            cli("destroy", "--yes", "--end-jobs", status=None)
            cli.work.stack_file.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def stack() -> Iterator[Callable[..., Cli]]:
    """Makes stacks for one file."""
    with stacks() as make:
        yield make


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cli]:
    """The cluster of test_cluster.py and the files that go on with it, which the last of them destroys."""
    with stacks() as make:
        cli = make("test-full", nodes=4, spares=1)
        cli.up = cli.build()
        yield cli


def wait_for(what: Callable[[], bool], seconds: float = 150) -> None:
    """Asks every 2 s until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(2)


def scheduled(cluster: Cli) -> dict[str, slurm.NodeState]:
    """What the scheduler says of each node."""
    return slurm.nodes(cluster.ssh("ctl0", "scontrol show node -o"))


def failing(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Claim and node of all that fails in a report."""
    return {(claim["claim"], claim["node"]) for claim in report["claims"] if claim["verdict"] == "fail"}


def without_passes(text: str) -> str:
    """A report of a validation without the claims that pass; any other text as it is."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if not isinstance(document, dict) or not isinstance(document.get("claims"), list):
        return text
    rest = [claim for claim in document["claims"] if claim.get("verdict") != "pass"]
    return json.dumps({**document, "claims": rest}, indent=1)


def blamed(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Node and part of all culprits of a report."""
    return {(culprit["node"], culprit["part"]) for culprit in report["culprits"]}


def processes_of(work: Workspace) -> list[str]:
    """Command lines of living processes that belong to the stack's hosts, and of masters of SSH connections to them."""
    marks = (f"rb-{work.lab_id}-", f"/{work.lab_id}-")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if any(mark in command for mark in marks):
                found.append(command)
    return found


def submit(cluster: Cli, script: str) -> str:
    """A user's job on h100-2, running when this returns."""
    done = subprocess.run(
        ["ssh", "-F", str(cluster.work.ssh_config), "h100-0", "sbatch --parsable -w h100-2 -p batch -o /dev/null"],
        input=script, text=True, capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    return running(cluster, done.stdout.strip())


def running(cluster: Cli, job: str) -> str:
    """The job, once it runs."""
    for _ in range(50):
        if cluster.ssh("h100-0", f"squeue -h -j {job} -o %T").strip() == "RUNNING":
            return job
        time.sleep(0.2)
    raise AssertionError(f"job {job} does not start")
