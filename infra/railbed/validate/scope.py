"""Which claims a run must answer, and on which nodes; by the contract, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from railbed.claims import Claim
from railbed.contract import Contract, Node
from railbed.errors import UsageError

QUICK = ("node.*", "scheduler.state", "storage.servers")
"""Claims of a quick run: seconds each, and nothing that loads the rails."""
SHARED = "storage.servers"
"""A claim of the cluster to which every data server adds its own part: a run of one such node asks it too."""
NEEDS_RAILS = ("node.nics", "fabric.rail.*", "fabric.all_rails")
NEEDS_GPUS = ("node.gpus", "node.driver", "node.dcgm_engine", "node.containers")
NEEDS_NVSWITCHES = ("node.fabric_manager",)


@dataclass(frozen=True)
class Question:
    """One claim on one node; ``node`` is empty for a claim of the whole cluster."""

    claim: Claim
    node: str

    @property
    def key(self) -> tuple[str, str]:
        return self.claim.id, self.node


@dataclass(frozen=True)
class Scope:
    """Every question of one run. A question that nobody answers becomes ``unproven``, never a pass."""

    questions: tuple[Question, ...]
    quick: bool = False
    only: tuple[str, ...] = ()
    """The nodes that the run is about; none: all."""
    pattern: str = ""

    @property
    def whole(self) -> bool:
        """True when nothing was left out: only such a run earns a certificate."""
        return not (self.quick or self.only or self.pattern)

    def claims(self, pattern: str) -> list[Claim]:
        """The claims asked for that match, once each."""
        found = {q.claim.id: q.claim for q in self.questions if fnmatchcase(q.claim.id, pattern)}
        return list(found.values())

    def nodes(self, pattern: str) -> list[str]:
        """Nodes of which a matching claim is asked; an empty name stands for the cluster."""
        return list(dict.fromkeys(q.node for q in self.questions if fnmatchcase(q.claim.id, pattern)))

    def asks(self, pattern: str) -> bool:
        return any(fnmatchcase(q.claim.id, pattern) for q in self.questions)

    def get(self, pattern: str) -> list[Question]:
        return [q for q in self.questions if fnmatchcase(q.claim.id, pattern)]


def applies(claim: Claim, node: Node) -> bool:
    """Whether ``node`` must show ``claim`` by itself."""
    if node.role not in claim.roles:
        return False
    if any(fnmatchcase(claim.id, pattern) for pattern in NEEDS_RAILS):
        return bool(node.rails)
    if claim.id in NEEDS_NVSWITCHES:
        return node.gpus > 1
    return node.gpus > 0 if claim.id in NEEDS_GPUS else True


def every_question(contract: Contract) -> list[Question]:
    """All claims of the contract on all nodes that they are about."""
    questions = []
    for claim in contract.claims:
        if not claim.roles:
            questions.append(Question(claim, ""))
        questions += [Question(claim, node.name) for node in contract.nodes if applies(claim, node)]
    return questions


def select(
    contract: Contract, *, quick: bool = False, only: Sequence[str] = (), pattern: str | None = None
) -> Scope:
    """The questions that remain after the filters.

    ``only`` keeps those nodes' own claims; claims of the whole cluster stay out unless ``pattern`` names them.
    Raises ContractError for an unknown node and UsageError where no claim matches.
    """
    for name in only:
        contract.node(name)
    kept = every_question(contract)
    if quick:
        kept = [q for q in kept if any(fnmatchcase(q.claim.id, p) for p in QUICK)]
    if pattern:
        kept = [q for q in kept if fnmatchcase(q.claim.id, pattern)]
    if only:
        serves = any(name in f.data_servers for f in contract.filesystems for name in only)
        kept = [
            q
            for q in kept
            if q.node in only or (not q.node and (pattern or (serves and q.claim.id == SHARED)))
        ]
    if not kept:
        raise UsageError(
            "no claim in scope matches", code="CLAIM_UNKNOWN", path="--claim",
            found=" ".join(filter(None, [pattern, *only])),
            allowed=_known(contract.claims), hint="`railbed plan --json` lists the claims",
        )  # fmt: skip
    return Scope(tuple(kept), quick, tuple(only), pattern or "")


def _known(claims: Iterable[Claim]) -> list[str]:
    return [claim.id for claim in claims]
