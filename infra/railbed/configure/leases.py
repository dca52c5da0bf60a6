"""One operator per node: a lock file for each, held while the roles run on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from railbed.effects.lock import held
from railbed.effects.workspace import Workspace


@contextmanager
def leased(work: Workspace, nodes: Iterable[str]) -> Iterator[None]:
    """Holds the nodes' leases. Raises Busy, naming node and holder, when one is taken; then none is held."""
    with ExitStack() as stack:
        # Always in the same order, so that two runs that want the same nodes cannot each hold half of them.
        for name in sorted(set(nodes)):
            stack.enter_context(held(work.dir / "leases" / f"{name}.lock", f"node {name}"))
        yield
