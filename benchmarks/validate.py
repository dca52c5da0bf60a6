"""Measures the on-node suite's way to many nodes: against testinfra over SSH, and its growth with the number of nodes.

usage: benchmarks/validate.py [--nodes 20] [--after 20] [--delay-ms 50] [--sizes 125 250 500 1000] [--part facts|growth]

In a network namespace of its own all nodes are one sshd on this machine (stub_hosts), so that their processors are the
controller's too. The ssh client, its keys and shared connections are real, and so is `validate.on_node.run`.

facts: every command over SSH waits --delay-ms before it starts. A node is a tree of files as an HGX H100 has them, beside this
machine's own programs. What the suite looked at there, each file, folder, link and command once, is then read by testinfra over
SSH: with all nodes in parallel, and node after node. The latter takes half an hour; with --after fewer nodes are measured so, and
the seconds of all are these in proportion, which is said.

growth: a node answers at once with 100 verdicts; what is measured is the controller: bundles, ssh, reading, judging, evidence.
Beside the clock's seconds stand the processor's, of all and of this process alone: a busy machine changes them little.

Nothing is asserted: ratios are of one run, seconds of the processor are of all that runs here. Needs root and openssh-server.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "infra"), str(ROOT / "benchmarks"), str(ROOT)]

import testinfra  # noqa: E402
from converge import contract_of, used_s  # noqa: E402
from stub_hosts import network  # noqa: E402
from tests.support.node_trees import Tree, kind  # noqa: E402

from railbed.claims import Claim, Verdict  # noqa: E402
from railbed.contract import Contract, expectations  # noqa: E402
from railbed.effects.remote import Remote, write_ssh_files  # noqa: E402
from railbed.effects.secrets import ensure_stack_secrets  # noqa: E402
from railbed.effects.workspace import Workspace  # noqa: E402
from railbed.validate import on_node  # noqa: E402
from railbed.validate.answers import Answers  # noqa: E402
from railbed.validate.scope import Question, Scope  # noqa: E402
from railbed.validate.validation_run import ValidationRun  # noqa: E402

AIM_AFTER, AIM_PARALLEL, AIM_GROWTH_S, AIM_EXPONENT = 20.0, 5.0, 60.0, 1.05
CHECKS = 100
CORES = 2
"""Processors that the aim is said of."""
ELSEWHERE = ("node.limits", "node.scheduler")
"""Claims whose answer is not the node's alone: a step of the scheduler, and the controller's files."""
SLOW = """\
#!/bin/sh
sleep {delay_s}
PATH={path} RAILBED_ROOT={tree} exec /bin/bash -c "$SSH_ORIGINAL_COMMAND"
"""
AT_ONCE = """\
#!/bin/sh
cat > /dev/null
exec cat {answer}
"""
RECORDER = """
import json, sys
import pytest
from railbed.validate.node import conftest, probe

seen = {}

def noted(kind, plain):
    def look(self, what, *more, **named):
        for one in what if kind == "together" else [what]:
            seen[json.dumps(["run" if kind == "together" else kind, one])] = None
        return plain(self, what, *more, **named)
    return look

for kind, owner, name in (
    ("read", probe.Probe, "read"), ("read", probe.Probe, "raw"), ("names", probe.Probe, "names"),
    ("target", probe.Probe, "target"), ("run", conftest.HostProbe, "execute"), ("together", probe.Probe, "together"),
):
    setattr(owner, name, noted(kind, getattr(owner, name)))
pytest.main(["-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider", "--hosts=local://", sys.argv[1]])
print()
print(json.dumps([json.loads(one) for one in seen]))
"""
Fact = tuple[str, Any]
"""``read``, ``names``, ``target`` or ``run``, and of what."""


@contextmanager
def site(count: int, program: Callable[[Path], str]) -> Iterator[tuple[Contract, Workspace]]:
    """``count`` nodes and their workspace; sshd runs the script that ``program`` gives."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contract = contract_of(count, network.host_key(folder))
        work = Workspace(folder, contract.stack)
        ensure_stack_secrets(work)
        write_ssh_files(work, contract)
        script = folder / "command"
        script.write_text(program(folder))
        script.chmod(0o755)
        with network.sshd(folder, work, str(script)):
            yield contract, work


def run_of(contract: Contract, work: Workspace, claims: Sequence[Claim]) -> ValidationRun:
    """A run that asks every compute node these claims."""
    asked = Scope(tuple(Question(c, n.name) for n in contract.with_role("compute") for c in claims))
    remote = Remote(work, contract)
    return ValidationRun(contract, remote, asked, Answers(asked), work.root / "report", lambda _: None)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processors for all that this process started and the connections that stay."""
    cpu, start = used_s(), time.monotonic()
    work()
    return time.monotonic() - start, used_s() - cpu


def looked_at(contract: Contract, claims: Sequence[Claim], tree: Path) -> list[Fact]:
    """What the suite looks at on one node, each once."""
    node = contract.with_role("compute")[0]
    wanted = expectations.of(contract, node) | {
        "claims": [one.id for one in claims],
        "reservation": "",
        "scheduler": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-xzf", "-"], input=on_node.bundle(wanted), cwd=folder, check=True)
        environment = os.environ | {
            "PYTHONPATH": folder, "RAILBED_ROOT": str(tree), "RAILBED_EXPECTATIONS": f"{folder}/expectations.json",
            "RAILBED_RESULTS": f"{folder}/results.json",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", RECORDER, on_node.PACKAGE], cwd=folder, env=environment, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
    return [(verb, what) for verb, what in json.loads(done.stdout.splitlines()[-1])]


def read_all(name: str, work: Workspace, facts: Sequence[Fact], tree: Path) -> int:
    """The facts of one node by testinfra over SSH, one after the other; how many it got."""
    host = testinfra.get_host(f"ssh://{name}", ssh_config=str(work.ssh_config))
    return sum(_read(host, verb, what, tree) for verb, what in facts)


def _read(host: Any, verb: str, what: Any, tree: Path) -> bool:
    try:
        if verb == "run":
            return bool(host.run(" ".join(["%s"] * len(what)), *what).rc == 0)
        file = host.file(f"{tree}{what}")
        said = {
            "read": lambda: file.content,
            "names": lambda: file.listdir(),
            "target": lambda: file.linked_to,
        }[verb]()
        return bool(said)
    except (RuntimeError, AssertionError):
        return False  # not there, which is a fact too


def facts(count: int, some: int, delay_ms: float) -> None:
    """railbed's suite and testinfra over the same nodes."""
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"

    def program(folder: Path) -> str:
        Tree(folder / "tree", kind("hgx-h100-ib"))
        return SLOW.format(delay_s=delay_ms / 1000, path=path, tree=folder / "tree")

    with site(count, program) as (contract, work):
        claims = [c for c in contract.claims if c.id.startswith("node.") and c.id not in ELSEWHERE]
        claims = [c for c in claims if "compute" in c.roles]
        known, names = (
            looked_at(contract, claims, work.root / "tree"),
            [n.name for n in contract.with_role("compute")],
        )
        validation = run_of(contract, work, claims)
        print(
            f"{count} nodes, {len(claims)} claims, {len(known)} files, folders, links and commands of each, "
            f"{delay_ms:g} ms a command",
            flush=True,
        )
        ours = measured(lambda: on_node.run(validation))
        _print_row("railbed, one round trip a node", ours, ours, 0)
        found = validation.answers.complete()
        crashed = [
            c for c in found if "gave no result" in c.reason or "cannot be reached" in c.reason or not c.at
        ]
        if crashed:
            sys.exit(f"the suite did not run: {crashed[0].claim} {crashed[0].node}: {crashed[0].reason}")
        with ThreadPoolExecutor(count) as pool:
            side = measured(
                lambda: list(pool.map(lambda n: read_all(n, work, known, work.root / "tree"), names))
            )
        _print_row("testinfra, nodes in parallel", side, ours, AIM_PARALLEL)
        after = measured(lambda: [read_all(n, work, known, work.root / "tree") for n in names[:some]])
        whole = after[0] * count / some, after[1] * count / some
        if some < count:
            print(
                f"  {some} of {count} nodes after another took {after[0]:.1f} s; in proportion, not measured:"
            )
        _print_row("testinfra, node after node", whole, ours, AIM_AFTER)


def _print_row(name: str, took: tuple[float, float], ours: tuple[float, float], aim: float) -> None:
    ratio = f"   {took[0] / ours[0]:6.1f} × (at least {aim:g})" if aim else ""
    print(f"  {name:32} {took[0]:8.1f} s {took[1]:8.1f} processor s of the controller{ratio}", flush=True)


def growth(sizes: Sequence[int]) -> None:
    """The controller's cost of nodes that answer at once."""
    head = f"{'nodes':>7} {'s':>8} {'controller s':>13} {'ms a node':>10} {'itself s':>10}"
    print(f"{CHECKS} checks a node\n{head}", flush=True)
    claims = [
        Claim(id=f"node.check_{at}", statement="a check", roles=["compute"], measured_by="stub")
        for at in range(CHECKS)
    ]
    records = [
        {"claim": c.id, "verdict": "pass", "reason": "seen", "measured": 1.5, "unit": "s", "expected": 2.0,
         "parts": [], "at": "2026-11-30T08:00:00+00:00"}
        for c in claims
    ]  # fmt: skip

    def program(folder: Path) -> str:
        (folder / "answer.json").write_text(json.dumps(records))
        return AT_ONCE.format(answer=folder / "answer.json")

    costs: dict[int, float] = {}
    for count in sizes:
        with site(count, program) as (contract, work):
            validation = run_of(contract, work, claims)
            itself = time.process_time()
            wall_s, costs[count] = measured(lambda: on_node.run(validation))  # noqa: B023 - called at once
            itself = time.process_time() - itself
            passed = sum(c.verdict is Verdict.PASS for c in validation.answers.complete())
        if passed != count * CHECKS:
            print(f"  {count * CHECKS - passed} of {count * CHECKS} verdicts did not pass", flush=True)
        each_ms = costs[count] / count * 1000
        print(f"{count:7} {wall_s:8.1f} {costs[count]:13.1f} {each_ms:10.1f} {itself:10.1f}", flush=True)
    print(
        f"the largest: {wall_s:.1f} s (at most {AIM_GROWTH_S:g}); {costs[max(sizes)] / CORES:.1f} s of processor on each of "
        f"{CORES} that do nothing else"
    )
    if len(sizes) > 1:
        least, most = min(sizes), max(sizes)
        exponent = math.log(costs[most] / costs[least]) / math.log(most / least)
        print(f"growth exponent of the controller's seconds {exponent:.2f} (at most {AIM_EXPONENT})")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--after", type=int, default=20, help="nodes that are read one after another")
    parser.add_argument("--delay-ms", type=float, default=50.0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[125, 250, 500, 1000])
    parser.add_argument("--part", choices=["facts", "growth"])
    asked = parser.parse_args()
    network.enter()
    if asked.part != "growth":
        facts(asked.nodes, min(asked.after, asked.nodes), asked.delay_ms)
    if asked.part != "facts":
        growth(asked.sizes)


if __name__ == "__main__":
    main()
