"""What the ranks of small fine-tuning jobs left, read as the law of them wants it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter

from railbed.effects import node_json
from railbed.judge.finetuning import Jobs, Rank, Read


class RankReply(node_json.Reply):
    """One rank's result (node/lora_job.py)."""

    job: node_json.Whole
    rank: node_json.Whole
    node: node_json.Words
    first_step: float
    step_s: Annotated[float, Field(gt=0)]
    tokens: Annotated[int, Field(ge=1, le=1 << 32)]
    losses: Annotated[list[float | None], Field(min_length=2, max_length=2)]
    devices: Annotated[list[node_json.Whole], Field(max_length=1024)]
    together: bool = False
    read_begin: float | None = None
    read_end: float | None = None
    read_bytes: node_json.Whole = 0
    direct: bool = False

    def plain(self) -> Rank:
        read = None
        if self.read_begin is not None and self.read_end is not None:
            read = Read(self.read_begin, self.read_end, self.read_bytes, self.direct, self.together)
        return Rank(
            job=self.job, node=self.node, first_step=self.first_step, tokens_per_s=self.tokens / self.step_s,
            losses=(self.losses[0], self.losses[1]), opened=frozenset(self.devices), read=read,
        )  # fmt: skip


REPLY = TypeAdapter(RankReply)


def joined(
    text: str,
    placed: Sequence[Sequence[str]],
    ranks: int,
    submitted: Mapping[int, float],
    tails: Mapping[int, str],
    cut_after_s: float | None,
) -> Jobs:
    """``text``: all results, one a line. ``placed``: nodes of each job; ``ranks`` on each of them. ``tails``: what jobs printed.

    Counts as a result what a rank of the job left for a node that the job was on; a job is whole with all its ranks.
    """
    known = {
        (one.job, one.rank): one
        for one in node_json.lines(text, REPLY)
        if one.job in submitted and one.node in placed[one.job] and one.rank < ranks * len(placed[one.job])
    }
    missing = {}
    for job in submitted:
        wanted = ranks * len(placed[job])
        found = sum(1 for at, _ in known if at == job)
        if found < wanted:
            tail = (tails.get(job, "").strip().splitlines() or ["it printed nothing"])[-1]
            missing[job] = f"{found} of {wanted} ranks came to their end on {', '.join(placed[job])}: {tail}"
    return Jobs(submitted, [one.plain() for one in known.values()], missing, cut_after_s)
