"""Judges whether rails reach other nodes by InfiniBand partitions that are not the cluster's. Pure.

Two ports reach each other by a partition of which both are members, one of them a full one (InfiniBand Architecture 1.4, 10.9.3).
So a port that is a full member of one that the spec does not name is at fault by itself, and two limited members that reach each
other show that nobody checks keys. What was not tried proves nothing, nor does silence on a way that carried nothing by the
cluster's own partition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from railbed.claims import FrozenModel, Verdict
from railbed.text import few

SHOWN = 4
FEW = 2
"""Nodes of which nobody can say whether they are all (as ``blame`` has it of rails)."""
NO_CONTROL = "the way was not tried by the cluster's own partition"
SILENT = "the way carried nothing by the cluster's own partition"
ALONE = "no rail that it can be tried with is in it"
Rail = tuple[str, int]
"""Node and rail."""


class Try(FrozenModel):
    """What became of bytes that one node sent another over one rail by one partition."""

    rail: int
    sender: str
    receiver: str
    pkey: int
    """Number of the partition, without the bit of full members."""
    carried: bool | None
    """False: they were sent and nobody answered; None: it cannot be said."""
    reason: str = ""
    """Why it cannot be said."""

    @property
    def way(self) -> tuple[str, str, int]:
        return self.sender, self.receiver, self.rail

    def other(self, node: str) -> str:
        return self.receiver if node == self.sender else self.sender


@dataclass(frozen=True)
class Outcome:
    """The verdict on one node."""

    verdict: Verdict
    reason: str
    guilty: list[tuple[str, str]] = field(default_factory=list)
    """Node, empty where all are, and part."""


def judge(
    nodes: Mapping[str, Sequence[int]],
    held: Mapping[Rail, Mapping[int, bool]],
    usual: Sequence[Try],
    tries: Sequence[Try],
) -> dict[str, Outcome]:
    """``nodes``: name → its rails. ``held``: partitions beside the spec's that a rail is a member of → whether a full one; a rail
    whose keys nobody could read is absent. ``usual``: over the cluster's own partition; a way that did not carry there each time,
    or was not tried, proves nothing.
    """
    full = {end: {pkey for pkey, whole in keys.items() if whole} for end, keys in held.items()}
    control = {one.way: NO_CONTROL for one in tries} | {one.way: "" for one in usual}
    control |= {one.way: one.reason or SILENT for one in usual if not one.carried}
    # What has no answer where nothing has one is not kept apart.
    proper = [
        one.model_copy(update={"carried": None, "reason": control[one.way]})
        if one.carried is False and control[one.way]
        else one
        for one in tries
    ]
    seen = {
        (name, rail): _rail(name, rail, held, full, proper) for name, rails in nodes.items() for rail in rails
    }
    everywhere = _everywhere(nodes, {end for end, (verdict, _) in seen.items() if verdict is Verdict.FAIL})
    found = {}
    for name, rails in nodes.items():
        of = {
            verdict: {rail: seen[name, rail][1] for rail in rails if seen[name, rail][0] is verdict}
            for verdict in Verdict
        }
        wrong = of[Verdict.FAIL]
        reasons = [f"rail {rail} {words}" for rail, words in (wrong or of[Verdict.UNPROVEN]).items()]
        if wrong:
            guilty = [("" if rail in everywhere else name, f"rail {rail}") for rail in wrong]
            if len(everywhere) > 1 and everywhere.issuperset(rails):
                guilty = [("", "fabric")]
            found[name] = Outcome(Verdict.FAIL, few(reasons, SHOWN, "; "), guilty)
        elif reasons or not rails:
            found[name] = Outcome(Verdict.UNPROVEN, few(reasons, SHOWN, "; ") or "it has no rails")
        else:
            reason = f"on {len(rails)} rails no other partition was answered, and the cluster's own was"
            found[name] = Outcome(Verdict.PASS, reason)
    return found


def _everywhere(nodes: Mapping[str, Sequence[int]], wrong: Collection[Rail]) -> set[int]:
    """Rails at fault on every node: the subnet manager's doing, and no node's."""
    if len(nodes) <= FEW:
        return set()
    return set.intersection(
        *({rail for rail in rails if (name, rail) in wrong} for name, rails in nodes.items())
    )


def _rail(
    name: str,
    rail: int,
    held: Mapping[Rail, Collection[int]],
    full: Mapping[Rail, Collection[int]],
    tries: Sequence[Try],
) -> tuple[Verdict, str]:
    """The verdict on a rail of a node, and the words that follow its name."""
    if (name, rail) not in held:
        return Verdict.UNPROVEN, "has a port whose partition keys cannot be read"
    mine = [one for one in tries if one.rail == rail and name in (one.sender, one.receiver)]
    for pkey in sorted(full[name, rail]):
        met = [one.other(name) for one in mine if one.pkey == pkey and one.carried]
        reached = f", and {few(met, SHOWN)} answered by it" if met else ""
        return (
            Verdict.FAIL,
            f"is a full member of partition {pkey:#06x}, which the spec does not name{reached}",
        )
    for one in mine:
        if one.carried and one.pkey not in full.get((one.other(name), rail), {one.pkey}):
            words = f"and that of {one.other(name)} reach each other as limited members of partition {one.pkey:#06x}"
            return Verdict.FAIL, words
    # A partition by which only full members answered, or nobody could be asked, may lead anywhere.
    for pkey in sorted({one.pkey for one in mine} | set(held[name, rail])):
        of_it = [one for one in mine if one.pkey == pkey]
        if not any(one.carried is False for one in of_it):
            why = [one.reason or f"{one.other(name)} is a full member and answers" for one in of_it] or [
                ALONE
            ]
            return (
                Verdict.UNPROVEN,
                f"was not tried by partition {pkey:#06x}: {few(list(dict.fromkeys(why)), 2, '; ')}",
            )
    if not mine:
        return Verdict.UNPROVEN, "was not tried: no partition beside the cluster's is at both ends"
    return Verdict.PASS, ""
