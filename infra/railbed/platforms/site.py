"""What a platform's program is given beside the plan: the stack's files, the last contract, what the operator allowed."""

from __future__ import annotations

from dataclasses import dataclass, field

from railbed.contract import Contract, Repository
from railbed.effects.workspace import Workspace


@dataclass(frozen=True)
class Site:
    """Of one run on one stack."""

    work: Workspace
    previous: Contract | None = None
    """None before the first `up`, or where there is none that holds."""
    new_host_keys: frozenset[str] = field(default_factory=frozenset)
    """Instance ids whose host key may be another one in this run."""
    sources: tuple[Repository, ...] = ()
    """Package sources of the contract, each with its key."""

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self.work.stack
