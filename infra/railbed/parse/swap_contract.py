"""What a job and `railbed node swap --at-checkpoint` agree on: its owner's opt-in, two signals, the marker of a checkpoint. Pure.

- Opt-in: a word of the job's comment, ``railbed:swap-at-checkpoint=MARKER``. MARKER is a file on a shared filesystem, absolute or
  from the job's working directory; ``%j`` in it is the job's number (sbatch does not replace it in a comment).
- ``ASK`` to the batch script: write a checkpoint now, and go on. ``STOP``: queue yourself again (`scontrol requeue`).
- The marker is JSON, written beside and renamed, by the job: when it has begun (``asked`` 0) and after each checkpoint.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

WORD = "railbed:swap-at-checkpoint="
ASK, STOP = "USR1", "USR2"
MARKER_BYTES = 1024 * 1024
FILES_MAX = 4096
"""Of one checkpoint that a marker names; a job of more shards names an index of them."""
_PATH = re.compile(r"[\w./%@+=:-]{1,1024}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def marker_path(comment: str, job: str, folder: str) -> str:
    """The marker's absolute path; empty where the comment does not opt in, or names no path that may be read.

    ``folder``: the job's working directory.
    """
    for word in re.split(r"[\s,;]+", comment):
        if word.startswith(WORD):
            path = word[len(WORD) :].replace("%j", job)
            if not _PATH.fullmatch(path) or ".." in path.split("/"):
                return ""
            return path if path.startswith("/") else f"{folder.rstrip('/')}/{path}"
    return ""


@dataclass(frozen=True)
class Saved:
    """One file of a checkpoint."""

    path: str
    """Absolute."""
    size_bytes: int
    sha256: str
    """Empty where the job wrote none: hashing terabytes takes longer than writing them."""


@dataclass(frozen=True)
class Marker:
    """What the job says of its newest checkpoint."""

    job: str
    run: int
    """How often the job was queued again before this run (SLURM_RESTART_COUNT)."""
    asked: int
    """How many ``ASK`` this run has answered with a checkpoint."""
    step: int
    files: tuple[Saved, ...]
    """None where there is no checkpoint yet."""
    ranks: tuple[str, ...]
    """The job's nodes in the order of their ranks."""


def marker(text: str, path: str) -> Marker:
    """Reads the file at ``path``; files that it names are beside it. Raises ValueError for what is no marker."""
    try:
        found = json.loads(text) if len(text) <= MARKER_BYTES else None
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no JSON object of at most {MARKER_BYTES} characters")
    files, ranks = found.get("files"), found.get("ranks")
    if not isinstance(files, list) or len(files) > FILES_MAX or not isinstance(ranks, list):
        raise ValueError(f"{path} has no list `files` (at most {FILES_MAX}) and `ranks`")
    return Marker(
        job=str(found.get("job", "")), run=_whole(found, "run", path), asked=_whole(found, "asked", path),
        step=_whole(found, "step", path), files=tuple(_saved(one, path) for one in files),
        ranks=tuple(str(name) for name in ranks),
    )  # fmt: skip


def _whole(found: dict[str, Any], key: str, path: str) -> int:
    value = found.get(key)
    if type(value) is not int or value < 0:
        raise ValueError(f"{path}: `{key}` is no whole number")
    return value


def _saved(found: Any, path: str) -> Saved:
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not _PATH.fullmatch(name) or ".." in name.split("/"):
        raise ValueError(f"{path}: a file of the checkpoint has no `name` that may be read")
    digest = found.get("sha256", "")
    if digest and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise ValueError(f"{path}: `sha256` of {name} is no SHA-256")
    absolute = name if name.startswith("/") else f"{path.rpartition('/')[0]}/{name}"
    return Saved(absolute, _whole(found, "bytes", path), digest)
