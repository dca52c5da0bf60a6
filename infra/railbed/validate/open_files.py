"""The files that a validation has open at once: three pipes for each node that it asks in the same moment. 1,024, the usual soft
limit, end it beyond some 330 nodes.
"""

from __future__ import annotations

import resource

from railbed.errors import HostError

PER_NODE, BESIDE = 4, 256
"""Pipes of a session with a node and one to spare; what Python, the journal and the report hold."""


def require(nodes: int, *, undone: str = "changed") -> None:
    """Raises this process's soft limit where a cluster of that many nodes needs more, for the programs that it starts too.

    Raises HostError ``OPEN_FILES`` where the hard limit is below it. ``undone`` says what was not done yet.
    """
    wanted = BESIDE + PER_NODE * nodes
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise HostError(
            f"a validation of {nodes} nodes opens more files than this shell may; nothing was {undone}",
            code="OPEN_FILES", path="RLIMIT_NOFILE", found=hard, allowed=f"{wanted} or more",
            hint=f"raise the hard limit (/etc/security/limits.conf, `LimitNOFILE=` of a unit) to {wanted}, then run it again",
        )  # fmt: skip
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
