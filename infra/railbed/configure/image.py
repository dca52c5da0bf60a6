"""The inventory of one machine that an image is made on: what the roles ask for of a kind of node, and nothing of a cluster.

Pure. It is the inventory of a node of that kind with all left out that only a cluster has, so that the image can hold no
name, address, key or secret of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from railbed.configure.inventory import Inventory, Paths, build, class_variables
from railbed.contract import Contract

SHARED = (
    "railbed_release",
    "railbed_carried",
    "railbed_files",
    "railbed_repositories",
    "railbed_training_stack_path",
    "railbed_wheels",
    "railbed_simulated",
    "railbed_hosts",
)
OF_NODE = ("railbed_machine", "railbed_gpus", "railbed_gpu_model", "railbed_transport")
CONNECTION = ("ansible_host", "ansible_user", "ansible_become", "ansible_ssh_common_args")
NOT_OF_AN_IMAGE = ("pool_", "role_", "machine_", "class_", "unaccepted", "rails_routed")
"""Beginnings of groups that say something of a node and nothing of what is installed on it."""


def inventory(contract: Contract, node: str, paths: Paths | None = None) -> Inventory:
    """The machine stands in ``node``'s place and has its name; with ``paths`` the inventory also says how it is reached."""
    whole = build(contract, {}, paths or Paths(ssh_config=Path(), secrets=Path()))
    groups = {
        name: [node]
        for name, members in whole.groups.items()
        if node in members and not name.startswith(NOT_OF_AN_IMAGE)
    }
    kinds = sorted({mount["kind"] for mount in whole.variables["railbed_mounts"]})
    variables: dict[str, Any] = {name: whole.variables[name] for name in SHARED}
    variables |= class_variables(contract.class_of(contract.node(node)))
    variables["railbed_mounts"] = [{"kind": kind} for kind in kinds]
    known = whole.hostvars[node]
    own = {name: known[name] for name in (*OF_NODE, *(CONNECTION if paths else ()))}
    return Inventory(groups=groups, variables=variables, hostvars={node: own})
