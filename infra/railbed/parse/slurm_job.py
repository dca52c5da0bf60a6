"""One job as Slurm's `scontrol show job -o` prints it (22.05). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from railbed.parse.numbers import integer
from railbed.parse.slurm import hostlist

_USER = re.compile(r"([a-z_][a-z0-9_.-]{0,63}\$?)\(\d+\)", re.I)


@dataclass(frozen=True)
class BatchJob:
    """What decides whether, and how, a job is restarted elsewhere."""

    id: str
    owner: str
    state: str
    reason: str
    """Why it waits."""
    restarts: int
    """How often it was queued again."""
    nodes: tuple[str, ...]
    """That it holds."""
    required: tuple[str, ...]
    """That its owner asked for by name (`--nodelist`)."""
    excluded: tuple[str, ...]
    reservation: str
    """That it runs in, or waits for."""
    folder: str
    """Its working directory."""
    comment: str
    batch: bool
    requeue: bool
    several: bool
    """Part of an array, or of a heterogeneous job."""

    @property
    def waits(self) -> bool:
        return self.state == "PENDING"

    @property
    def runs(self) -> bool:
        return self.state == "RUNNING"

    @property
    def lives(self) -> bool:
        """Whether it runs, waits, or is on the way from one to the other."""
        return self.state in ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "SUSPENDED")


def job(text: str) -> BatchJob | None:
    """The job of the first line that is one; None where none is. Raises ValueError for nodes that are no host list, and a user
    without name."""
    line = next((one for one in text.splitlines() if one.startswith("JobId=")), "")
    if not line:
        return None
    user = _USER.fullmatch(_field(line, "UserId"))
    if user is None:
        raise ValueError("a job without the name of its user")
    return BatchJob(
        id=_field(line, "JobId"), owner=user[1], state=_field(line, "JobState").split(" ")[0],
        reason=_field(line, "Reason"), restarts=integer(_field(line, "Restarts")) or 0,
        nodes=_nodes(line, "NodeList"), required=_nodes(line, "ReqNodeList"), excluded=_nodes(line, "ExcNodeList"),
        reservation=_field(line, "Reservation"),
        folder=_field(line, "WorkDir"), comment=_field(line, "Comment"), batch=_field(line, "BatchFlag") != "0",
        requeue=_field(line, "Requeue") == "1",
        several=any(f" {key}=" in line for key in ("ArrayJobId", "HetJobId")),
    )  # fmt: skip


def _field(line: str, key: str) -> str:
    """Up to the next key: a folder's name and a comment may have spaces."""
    found = re.search(rf"(?:^| ){key}=(.*?)(?= [A-Za-z/:]+=|\s*$)", line)
    value = found[1].strip() if found else ""
    return "" if value in ("(null)", "N/A", "None") else value


def _nodes(line: str, key: str) -> tuple[str, ...]:
    return hostlist(_field(line, key))
