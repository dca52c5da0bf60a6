"""Inventory plugin: a stack's contract as groups and host variables. Its logic is in railbed.configure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: railbed
short_description: The nodes of a railbed stack, from its contract
description:
  - Reads the contract that C(railbed up) wrote for a stack of this checkout.
  - An empty, truncated, edited, older or shrunken contract is an error, and one that the stack's key did not make.
options:
  plugin:
    description: Always V(railbed).
    required: true
    choices: [railbed]
  stack:
    description: Name of the stack.
    required: true
    type: str
  image:
    description: A node of the contract. The inventory is then of a machine that an image is made on for such nodes.
    default: ""
    type: str
  made:
    description: JSON file with the inventory of one run, which C(railbed converge) made; without it the contract is read.
    type: path
"""

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

SUFFIX = ".railbed.yaml"


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """Answers for files named ``<stack>.railbed.yaml``."""

    NAME = "railbed"

    def verify_file(self, path: str) -> bool:
        """Whether the file is one of ours."""
        return bool(super().verify_file(path)) and path.endswith(SUFFIX)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fills the inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        found = self._made() if self.get_option("made") else self._of_contract(path)
        for group, hosts in found["groups"].items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group=group)
        for host, values in found["hostvars"].items():
            inventory.add_host(host)
            for key, value in values.items():
                inventory.set_variable(host, key, value)
        for group, values in found["group_variables"].items():
            inventory.add_group(group)
            for key, value in values.items():
                inventory.set_variable(group, key, value)
        for key, value in found["variables"].items():
            inventory.set_variable("all", key, value)

    def _made(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(self.get_option("made")).read_text())
        return found

    def _of_contract(self, path: str) -> dict[str, Any]:
        # A run that brings its inventory along pays neither for these nor, in each of its processes, for their memory.
        from railbed.configure import bake, stack
        from railbed.effects.workspace import Workspace, find_root
        from railbed.errors import RailbedError

        try:
            work = Workspace(find_root(Path(path).parent), self.get_option("stack"))
            image = self.get_option("image")
            return vars(bake.load(work, image) if image else stack.load(work))
        except RailbedError as error:
            raise AnsibleParserError(error.as_text()) from error
