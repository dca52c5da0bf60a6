"""``converge``: the roles on the nodes of a contract."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from railbed import contract as contracts
from railbed.configure import observing, quarantine, releases, signing, stack
from railbed.configure.events import Collector, OnEvent
from railbed.configure.host_pattern import resolve
from railbed.configure.inventory import Inventory
from railbed.configure.redact import Redactor, secrets_of
from railbed.configure.results import ConvergeResult, taken_away
from railbed.configure.runner import Run, play
from railbed.configure.site_secrets import require_secrets
from railbed.contract import Contract
from railbed.defaults import CONVERGE_SILENCE_S, FORKS
from railbed.effects import files
from railbed.effects.journal import Journal
from railbed.effects.lock import leased
from railbed.effects.remote import write_ssh_files
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, ContractError, RailbedError, refused

SHOWN_LINES = 20
FULL = os.strerror(errno.ENOSPC)


def converge(
    contract: Contract, work: Workspace, *, limit: str | None = None, check: bool = False,
    playbook: str = "site.yml", moving: bool = False, on_event: OnEvent | None = None,
) -> ConvergeResult:  # fmt: skip
    """Runs a playbook on the contract's nodes, or on those that ``limit`` names; ``check`` writes nothing.

    ``moving``: these nodes were drained, so their software release may change; else that is refused. A node that
    fails or does not answer is a state of that node in the result. Raises ContractError for a contract that must not
    be used, SecretError where a secret of the site is missing, UsageError for a limit that matches nothing, a release that
    would move, or a signing key that is not there, Busy where another railbed is at work on a node, and CommandError where
    Ansible itself did not run.
    """
    if contracts.hash_on_disk(work.contract_file) != contract.hash:
        raise ContractError(
            "the contract on disk is not the one to converge", path=str(work.contract_file),
            hint="another `railbed up` finished meanwhile; run it again",
        )  # fmt: skip
    signing.require_pair(contract, work.secrets)
    require_secrets(work, contract.services)
    inventory = stack.of(work, contract, ())
    nodes = resolve(limit, inventory)
    journal = Journal(work.journal_file)
    with leased(work, nodes):
        ensure_stack_secrets(work)
        write_ssh_files(work, contract)
        if not (moving or check):
            releases.refuse_move(work, nodes, contract.software.release)
        journal.write("converge", playbook=playbook, nodes=nodes, check=check, contract=contract.hash)
        start = time.monotonic()
        collector = Collector(nodes, on_event)
        if moving and not check:
            # Until it is whole, a node has neither release: who moves it back must find it.
            releases.forget(work, nodes)
        if not check:
            inventory = _observed(contract, work, nodes, playbook, inventory, on_event)
        variables = stack.of_run(work, contract, inventory, set(nodes))
        quarantined: list[str] = []
        beyond_limit: list[str] = []
        try:
            run = play(
                work, playbook, _source(work, variables), nodes, contract_hash=contract.hash,
                options="--check --diff" if check else "", forks=FORKS, redactor=Redactor(secrets_of(work)),
                take=collector.take,
            )  # fmt: skip
        finally:
            # Also where the run was ended: a node that was left between two states must not take jobs meanwhile.
            if not check:
                unfit = quarantine.unfit(contract, collector.nodes)
                quarantined = quarantine.hold(work, contract, unfit)
                beyond_limit = [name for name in unfit if name not in quarantined]
        seconds = round(time.monotonic() - start, 1)
        if not collector.finished:
            raise _did_not_run(run, collector, quarantined, beyond_limit)
        result = ConvergeResult(
            nodes=collector.nodes, seconds=seconds, check=check, log=str(run.log),
            task_seconds=dict(sorted(collector.task_seconds.items(), key=lambda item: -item[1])), quarantined=quarantined,
            beyond_limit=beyond_limit,
        )  # fmt: skip
        journal.write(
            "converge-done", playbook=playbook, seconds=seconds, changed=result.changed,
            nodes={name: str(one.state) for name, one in result.nodes.items()},
        )  # fmt: skip
        if not check:
            whole = [name for name in nodes if name not in result.broken]
            releases.record(work, whole, contract.software.release)
        if not limit and not check and not result.broken:
            files.replace(stack.converged_file(work), work.contract_file.read_bytes())
    return result


def _observed(
    contract: Contract, work: Workspace, nodes: list[str], playbook: str, inventory: Inventory, on_event: OnEvent | None
) -> Inventory:  # fmt: skip
    """The inventory with what the nodes show of themselves now; where their devices are missing, with the drivers first.

    How that first run ends on a node is not counted: what it could not do the whole run meets again.
    """
    whole = len(set(nodes)) == len(contract.nodes)
    new = observing.refresh(contract, work, nodes, whole=whole, on_event=on_event)
    bare = observing.without_devices(contract, work, nodes)
    if bare:
        variables = stack.of_run(work, contract, inventory, set(bare))
        first = Collector(bare, on_event)
        try:
            play(
                work, playbook, _source(work, variables), bare, contract_hash=contract.hash,
                options=f"--tags {','.join(observing.DRIVERS)}", forks=FORKS, redactor=Redactor(secrets_of(work)),
                take=first.take,
            )  # fmt: skip
        except BaseException:
            # The whole run does not follow: what is half done must not take jobs.
            quarantine.hold(work, contract, quarantine.unfit(contract, first.nodes))
            raise
        new = observing.refresh(contract, work, bare, whole=whole, on_event=on_event) or new
    return stack.of(work, contract, ()) if new else inventory


def _source(work: Workspace, inventory: Inventory) -> Path:
    """The file that names the stack to the inventory plugin, and the inventory of this run, made beforehand.

    Ansible starts a process for each task out of its own: it should not hold a contract of thousands of nodes.
    """
    folder = work.runner_dir
    folder.mkdir(parents=True, exist_ok=True)
    made, path = folder / "inventory.json", folder / f"{work.stack}.railbed.yaml"
    made.write_text(json.dumps(asdict(inventory)))
    path.write_text(f"plugin: railbed\nstack: {work.stack}\nmade: {json.dumps(str(made))}\n")
    return path


def _did_not_run(
    run: Run, collector: Collector, quarantined: list[str], beyond_limit: list[str]
) -> RailbedError:
    text = run.log.read_text().splitlines() if run.log.exists() else collector.said
    if any(FULL in line for line in text):
        return refused(OSError(errno.ENOSPC, FULL), str(run.log.parent))
    silent = f"told of nothing for {CONVERGE_SILENCE_S} s and was ended"
    why = silent if run.status == "timeout" else "did not come to its end"
    return CommandError(
        "\n".join(
            [
                f"Ansible {why}:",
                *_without_traceback(text)[-SHOWN_LINES:],
                *taken_away(quarantined, beyond_limit),
            ]
        ),
        code="ANSIBLE",
        path=str(run.log),
        found=run.status,
        hint="the log tells where it stopped; run the same command again, and it goes on from there",
    )


def _without_traceback(lines: list[str]) -> list[str]:
    """Where Ansible itself broke, what it says of that; the whole of it is in the log."""
    if not any(line.startswith("Traceback (most recent call last)") for line in lines):
        return lines
    return [line for line in lines if not line.startswith(("Traceback (", " "))]
