"""The inventory of a stack as it stands on disk, and the guard against a shrunken contract."""

from __future__ import annotations

import filecmp
from collections.abc import Collection
from pathlib import Path

from railbed.configure import releases
from railbed.configure.inventory import Inventory, Paths, build, narrowed
from railbed.contract import Contract
from railbed.defaults import MAX_SHRINK_FRACTION
from railbed.effects import acceptance, contract_store, local_repository, local_wheels, observations, places
from railbed.effects.workspace import Workspace, cache_dir
from railbed.errors import ContractError


def load(work: Workspace, only: Collection[str] | None = None) -> Inventory:
    """The inventory of the stack, or with variables of ``only`` these nodes and the controllers.

    Raises ContractError for a contract that is missing, cut short, edited, of another schema, or that lost more than
    ``MAX_SHRINK_FRACTION`` of the nodes that were last converged.
    """
    return of(work, contract_store.load(work), only)


def of(work: Workspace, contract: Contract, only: Collection[str] | None = None) -> Inventory:
    """The same of the contract on disk where that was read already. Raises ContractError as `load` does."""
    refuse_other_stack(contract, work)
    last = converged_file(work)
    if not last.exists() or not filecmp.cmp(last, work.contract_file, shallow=False):
        refuse_shrunken(contract, work)
    standby = places.standby(contract, work)
    return build(contract, acceptance.record(work), paths(work), only, observations.read(work), standby)


def of_run(work: Workspace, contract: Contract, inventory: Inventory, nodes: Collection[str]) -> Inventory:
    """Variables of a run on these nodes: ``inventory`` is the contract's, with the controllers' variables."""
    return narrowed(inventory, contract, paths(work), nodes, observations.read(work))


def paths(work: Workspace) -> Paths:
    """Files on the operator's machine that a run on this stack needs."""
    return Paths(
        ssh_config=work.ssh_config,
        secrets=work.secrets,
        repositories=local_repository.repositories_dir(cache_dir()),
        wheels=local_wheels.wheels_dir(cache_dir()),
    )


def converged_file(work: Workspace) -> Path:
    """The contract that was last converged on all its nodes."""
    return work.dir / "converged.json"


def refuse_other_stack(contract: Contract, work: Workspace) -> None:
    """A contract that was copied from another stack would configure that stack's nodes."""
    if contract.stack != work.stack:
        raise ContractError(
            "the contract is of another stack", path=f"{work.contract_file}:stack", found=contract.stack,
            allowed=work.stack, hint="run `railbed up` again",
        )  # fmt: skip


def refuse_shrunken(contract: Contract, work: Workspace) -> None:
    """A contract that lost many of the nodes last converged is more likely a mistake than a wish."""
    last = converged_file(work)
    if not last.exists():
        return
    before = {node.name for node in contract_store.load(work, last).nodes}
    missing = sorted(before - {node.name for node in contract.nodes})
    if len(missing) > MAX_SHRINK_FRACTION * len(before):
        raise ContractError(
            f"the contract lost {len(missing)} of {len(before)} nodes since the last converge",
            code="CONTRACT_SHRUNKEN", path=str(last), found=missing,
            allowed=f"at most {MAX_SHRINK_FRACTION:.0%} at once",
            hint=f"if that is meant, remove {last} and run it again",
        )  # fmt: skip


def let_go(work: Workspace, names: Collection[str]) -> None:
    """Nodes that left on purpose are not missed by the next converge."""
    releases.forget(work, names)
    observations.forget(work, names)
    last = converged_file(work)
    if not last.exists():
        return
    known = contract_store.load(work, last)
    kept = known.model_copy(
        update={"nodes": [node for node in known.nodes if node.name not in names]}
    ).sealed()
    contract_store.write(work, kept, last)
