"""Which claims a run must answer, and on which nodes; by the contract, before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from railbed.claims import Claim, table
from railbed.claims.definition import Having, Level
from railbed.claims.measurements import Reach
from railbed.contract import Contract, Node
from railbed.errors import UsageError

HAS: Mapping[Having, Callable[[Node], bool]] = {
    Having.ANY: lambda _: True,
    Having.GPUS: lambda node: node.gpus > 0,
    Having.NVSWITCHES: lambda node: node.gpus > 1,
    Having.RAILS: lambda node: bool(node.rails),
}


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
        return list({q.claim.id: q.claim for q in self.get(pattern)}.values())

    def nodes(self, pattern: str) -> list[str]:
        """Nodes of which a matching claim is asked; an empty name stands for the cluster."""
        return list(dict.fromkeys(q.node for q in self.get(pattern)))

    def asks(self, pattern: str) -> bool:
        return bool(self.get(pattern))

    def get(self, pattern: str) -> list[Question]:
        """The matching questions that this release has a measurement for."""
        return [q for q in self.questions if fnmatchcase(q.claim.id, pattern) and not q.claim.unmeasured]


def applies(claim: Claim, node: Node) -> bool:
    """Whether ``node`` must show ``claim`` by itself."""
    if node.role not in claim.roles:
        return False
    definition = table.find(claim.id)
    return definition is None or HAS[definition.having](node)


def _level(claim: Claim) -> Level:
    definition = table.find(claim.id)
    return definition.level if definition else Level.FULL


def _shared(claim: Claim) -> bool:
    """Whether a run of one data server asks the claim too, although it is the cluster's."""
    definition = table.find(claim.id)
    return definition is not None and definition.data_servers


def every_question(contract: Contract) -> list[Question]:
    """All claims of the contract on all nodes that they are about.

    Which measurement answers a claim is this release's to say, also where another one made the contract.
    """
    questions = []
    transports = {machine.transport for machine in contract.machines}
    reach = Reach.LOGIN
    if contract.kubernetes is not None:
        reach = Reach.JOBS if contract.kubernetes.checks is not None else Reach.API
    for planned in contract.claims:
        claim = table.measured(planned, transports, reach)
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
        kept = [q for q in kept if _level(q.claim) is not Level.FULL]
    if pattern:
        kept = [q for q in kept if fnmatchcase(q.claim.id, pattern)]
    if only:
        serves = any(name in f.data_servers for f in contract.filesystems for name in only)
        kept = [
            q for q in kept if q.node in only or (not q.node and (pattern or (serves and _shared(q.claim))))
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
