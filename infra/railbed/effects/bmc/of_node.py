"""The BMC of a node, from the contract and the site's file of logins."""

from __future__ import annotations

from pathlib import Path

from railbed.contract import BmcTrust, Node
from railbed.effects.bmc import login
from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.target import Patience, Target, Trust
from railbed.effects.workspace import Workspace


def connect(work: Workspace, node: Node, patience: Patience | None = None) -> Bmc:
    """Raises UsageError where no user and password are to be had; nothing is asked of the BMC yet."""
    said = node.bmc_trust or BmcTrust()
    trust = Trust(Path(said.ca_file) if said.ca_file else None, said.fingerprint)
    target = Target(node.name, node.identity.value, node.bmc)
    return Bmc(target, login.login(login.logins_file(work.root), node.name), trust, patience)
