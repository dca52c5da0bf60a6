"""Which software release each node has: kept as nodes are converged, asked of a cluster that another checkout made.

Another release means another driver under whatever runs on the node, so the roles bring it only to nodes that were drained
for it.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import TypeAdapter

from railbed.contract import Contract
from railbed.defaults import SSH_CONNECT_TIMEOUT_S, SSH_FANOUT
from railbed.effects import acceptance, contract_store, node_json
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import UsageError
from railbed.text import few

NODE_FILE = "/etc/railbed/node.json"
"""Role ``base`` writes it."""
SHOWN = 8


class NodeFile(node_json.Reply):
    """What is read of it."""

    release: node_json.Words


NODE = TypeAdapter(NodeFile)


def record(work: Workspace, names: Collection[str], release: str) -> None:
    """Writes down that these nodes have the release now."""
    work.releases.write({**work.releases.read(), **dict.fromkeys(names, release)})


def forget(work: Workspace, names: Collection[str]) -> None:
    """Nodes that left; another machine may come under their name."""
    left = {name: release for name, release in work.releases.read().items() if name not in names}
    work.releases.write(left)


def learn(contract: Contract, work: Workspace, names: Collection[str] | None = None) -> None:
    """Asks nodes that another checkout converged, all of them or these; those that do not answer stay unknown."""
    remote = Remote(work, contract)

    def ask(name: str) -> str:
        said = remote.run(name, ["cat", NODE_FILE], check=False, timeout_s=2 * SSH_CONNECT_TIMEOUT_S)
        try:
            return node_json.read(said.stdout, NODE, name).release if said.ok else ""
        except node_json.Unreadable:
            return ""

    wanted = [node.name for node in contract.nodes if names is None or node.name in names]
    asked = remote.each(wanted, ask, SSH_FANOUT)
    known = {name: release for name, release in asked.items() if release}
    work.releases.write({**work.releases.read(), **known})


def refuse_move(work: Workspace, names: Collection[str], release: str) -> None:
    """Raises UsageError where a run of the roles would change the release of nodes that nobody drained for it.

    A checkout of a cluster that was proved asks those of them that it has no release of: another checkout made them, or the list
    was removed.
    """
    unknown = set(names) - work.releases.read().keys()
    proved = acceptance.exists(work) or work.certificate_file.exists()
    if unknown and proved and work.contract_file.exists():
        learn(contract_store.load(work), work, unknown)
    others = {n: have for n, have in work.releases.read().items() if n in names and have != release}
    if others:
        shown = few([f"{name} {have}" for name, have in others.items()], SHOWN)
        raise UsageError(
            f"{len(others)} nodes have another software release; changing it takes drained nodes",
            code="RELEASE_MOVES", path="software.release", found=shown,
            allowed=release, hint=f"`railbed upgrade --to {release}` drains, changes and validates them in waves",
        )  # fmt: skip
