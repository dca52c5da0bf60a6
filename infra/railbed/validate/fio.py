"""Runs fio on a node: a job file over stdin, so that nothing is written there but what is measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed import ended
from railbed.defaults import (
    STORAGE_FILES,
    STORAGE_PROBE_BYTES,
    STORAGE_RANDOM_BYTES,
    STORAGE_RANDOM_DEPTH,
    STORAGE_RANDOM_S,
    STORAGE_TIMEOUT_S,
)
from railbed.effects.remote import Remote
from railbed.parse import fio
from railbed.run import Result
from railbed.validate.transfers import LATE

PROGRAM = "fio"
ERRNO_MOST = 4096
"""The kernel's own limit (linux/err.h, MAX_ERRNO)."""
KEPT_LINES = 8
"""Of what fio says beside its document: one line for each write that failed."""


@dataclass(frozen=True)
class Reply:
    """How one client fared: rates by job and direction, or an ``error``, or why nobody knows (``unknown``)."""

    rates: dict[str, float] = field(default_factory=dict)
    """``write``, ``create``, …: operations a second."""
    begin_s: float = 0.0
    """Unix time by the node's clock at which the last job began."""
    end_s: float = 0.0
    error: str = ""
    unknown: str = ""
    late: bool = False
    """Whether it had to be ended."""
    said: list[str] = field(default_factory=list)


JOBS = ("write", "read")
"""Names of the jobs of ``random_job``; of ``files_job`` there is one, its verb."""


def random_job(folder: str) -> str:
    """Random writes, then reads, of one file in ``folder``, past the client's own cache."""
    return _text(
        {
            "directory": folder, "filename_format": "random", "ioengine": "libaio", "direct": 1,
            "iodepth": STORAGE_RANDOM_DEPTH, "bs": STORAGE_RANDOM_BYTES, "size": STORAGE_PROBE_BYTES,
            "runtime": STORAGE_RANDOM_S, "time_based": 1,
        },
        {"write": {"rw": "randwrite"}, "read": {"rw": "randread", "stonewall": 1}},
    )  # fmt: skip


def files_job(folder: str, verb: str) -> str:
    """Creates (``create``), stats (``stat``) or deletes (``delete``) files in ``folder``."""
    return _text(
        {
            "directory": folder, "filename_format": "file.$filenum", "ioengine": f"file{verb}", "nrfiles": STORAGE_FILES,
            "filesize": STORAGE_RANDOM_BYTES, "openfiles": 1, "create_on_open": 1, "fallocate": "none",
        },
        {verb: {}},
    )  # fmt: skip


def _text(shared: Mapping[str, Any], jobs: Mapping[str, Mapping[str, Any]]) -> str:
    sections = {"global": shared, **jobs}
    return "".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())
        for name, options in sections.items()
    )


def run(remote: Remote, node: str, job: str, names: Sequence[str]) -> Reply:
    """Runs one job file, with jobs of these names, on a node."""
    argv = ["timeout", "-k", "2", str(int(STORAGE_TIMEOUT_S)), PROGRAM, "--output-format=json", "-"]
    result = remote.run(node, argv, stdin=job, timeout_s=STORAGE_TIMEOUT_S + 5, check=False)
    return judge(result, node, names)


def _errno(number: int) -> str:
    """The error in words (errno(3))."""
    return os.strerror(number) if 0 < number < ERRNO_MOST else "an error without a known number"


def judge(result: Result, node: str, names: Sequence[str]) -> Reply:
    """What fio's answer says; pure. Only what fio itself calls an error of the filesystem is one."""
    found = fio.plain(result.stdout)
    said = [*found["said"], *result.stderr.splitlines()][:KEPT_LINES]
    jobs = [job for job in found["jobs"] if job["name"] != "All clients"]
    wrong = next((job for job in jobs if job["error"]), None)
    if wrong:
        return Reply(error=f"{node}: fio {wrong['name']}: {_errno(wrong['error'])}", said=said)
    if result.returncode in LATE:
        return Reply(
            unknown=f"fio on {node} did not end within {STORAGE_TIMEOUT_S:g} s", late=True, said=said
        )
    if not result.ok:
        return Reply(unknown=f"blocked by {node}: {ended.why(result, PROGRAM, node)}", said=said)
    rates = {
        job["name"]: one["iops"] for job in jobs for one in (job["read"], job["write"]) if one and one["iops"]
    }
    if sorted(rates) != sorted(names):
        return Reply(unknown=f"fio on {node} printed no rates of {' and '.join(names)}", said=said)
    last = next(one for one in (jobs[-1]["read"], jobs[-1]["write"]) if one)
    end = found["ended_s"] or 0.0
    return Reply(rates, end - (last["seconds"] or 0.0), end, said=said)
