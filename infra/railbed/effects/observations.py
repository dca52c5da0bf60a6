"""What was last observed of each node: ``.railbed/<stack>/observed.json``.

It outlives the node's silence: files that name its cards and cores are then rendered as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import TypeAdapter, ValidationError

from railbed import inputs
from railbed.defaults import MAX_OBSERVED_BYTES
from railbed.effects import files
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError
from railbed.hardware import NodeFacts

KNOWN = TypeAdapter(dict[str, NodeFacts])
HINT = "remove it: railbed then looks at the nodes again"


def read(work: Workspace) -> dict[str, NodeFacts]:
    """Node → facts; none where nothing was observed yet. Raises ContractError for a file that is not whole."""
    path = work.observed_file
    if not path.exists():
        return {}
    data = inputs.read_json(path, MAX_OBSERVED_BYTES, error=ContractError, hint=HINT)
    try:
        return KNOWN.validate_python(data)
    except ValidationError:
        raise ContractError("what was observed of the nodes is damaged", path=str(path), hint=HINT) from None


def remember(work: Workspace, seen: Mapping[str, NodeFacts]) -> None:
    """Adds what was observed now."""
    _write(work, {**read(work), **seen})


def forget(work: Workspace, names: Collection[str]) -> None:
    """Nodes that left; another machine may come under their name."""
    known = read(work)
    if known.keys() & set(names):
        _write(work, {name: one for name, one in known.items() if name not in names})


def _write(work: Workspace, known: Mapping[str, NodeFacts]) -> None:
    files.replace(work.observed_file, KNOWN.dump_json(dict(known)).decode() + "\n")
