"""Contracts that tests build in code, with what the plan gives each class of their nodes."""

from __future__ import annotations

from typing import Any

from railbed import catalog
from railbed.contract import Contract, Machine
from railbed.plan import software
from railbed.platforms import assemble
from railbed.software import compat

LAB_MACHINE = "lab/rail8"


def sealed(made: Contract) -> Contract:
    """``made`` with the classes of its nodes, worked out anew, and its hash."""
    return assemble.classified(made, {one.key: _facts(one) for one in made.machines}).sealed()


def lab_software(release: str = "2026.11") -> dict[str, Any]:
    """What a contract says of a release in the lab, without repositories."""
    known = catalog.load_release(release)
    chosen = software.choose(known, [catalog.load_machine(LAB_MACHINE)], ["moosefs"], "x")
    return software.planned(known, chosen, lab=True).model_dump(exclude={"repositories"})


def planned_software(release: str, machine: Machine, os: str) -> dict[str, Any]:
    """The same of a release on machines of their own, of that operating system."""
    known = catalog.load_release(release)
    chosen = compat.select(known, _facts(machine), os)
    chosen[catalog.SYSTEM] = next(one for one in known.alternatives(catalog.SYSTEM) if one.version == os)
    return software.planned(known, chosen, lab=False).model_dump(exclude={"repositories"})


def _facts(machine: Machine) -> catalog.Machine:
    """The catalogue's facts of a machine; of one that it does not have the lab's, with its key and what the contract says."""
    if machine.key in catalog.keys("machines"):
        return catalog.load_machine(machine.key)
    said = {
        "key": machine.key,
        "transport": machine.transport,
        "gpus": machine.gpus,
        "nodes_per_nvlink_domain": machine.nodes_per_nvlink_domain,
    }
    return catalog.load_machine(LAB_MACHINE).model_copy(update=said)
