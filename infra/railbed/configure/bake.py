"""``bake``: the roles on a machine that an image is made of, by the playbook of that name."""

from __future__ import annotations

import time
from pathlib import Path

from railbed.configure import image, stack
from railbed.configure.events import Collector, OnEvent
from railbed.configure.inventory import Inventory
from railbed.configure.redact import Redactor, secrets_of
from railbed.configure.results import ConvergeResult, broken
from railbed.configure.runner import play
from railbed.contract import Contract
from railbed.effects import contract_store
from railbed.effects.journal import Journal
from railbed.effects.remote import write_ssh_files
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError

PLAYBOOK = "bake.yml"


def load(work: Workspace, node: str) -> Inventory:
    """The inventory of the machine that stands in ``node``'s place, from the workspace's contract."""
    contract = contract_store.load(work)
    return image.inventory(contract, node, stack.paths(work))


def bake(contract: Contract, work: Workspace, node: str, on_event: OnEvent | None = None) -> ConvergeResult:
    """Runs the playbook on ``node``, which must be of no cluster: afterwards it is sealed, and nobody can log in anew.

    The workspace is the machine's own, and its contract names this machine alone. Raises CommandError where Ansible or
    a role failed.
    """
    write_ssh_files(work, contract)
    journal = Journal(work.journal_file)
    journal.write("bake", node=node, release=contract.software.release)
    start = time.monotonic()
    collector = Collector([node], on_event)
    run = play(
        work, PLAYBOOK, _source(work, node), [node], contract_hash=contract.hash, options="", forks=1,
        redactor=Redactor(secrets_of(work)), take=collector.take,
    )  # fmt: skip
    if not collector.finished:
        raise CommandError(
            "the bake did not come to its end", code="ANSIBLE", path=str(run.log), found=run.status,
            hint="the log tells where it stopped",
        )  # fmt: skip
    result = ConvergeResult(
        nodes=collector.nodes, seconds=round(time.monotonic() - start, 1), check=False, log=str(run.log),
        task_seconds=dict(sorted(collector.task_seconds.items(), key=lambda item: -item[1])),
    )  # fmt: skip
    journal.write("bake-done", node=node, seconds=result.seconds)
    if result.broken:
        raise broken(result)
    return result


def _source(work: Workspace, node: str) -> Path:
    """The inventory file that names machine and workspace to the inventory plugin."""
    path = work.runner_dir / f"{work.stack}.railbed.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"plugin: railbed\nstack: {work.stack}\nimage: {node}\n")
    return path
