"""MooseFS's tools: `mfscli -SCS` of the metadata server, `mfsfileinfo` of a client. Forms of MooseFS 3.0.117."""

from __future__ import annotations

import re

from railbed.parse.numbers import integer

ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
CHUNK = re.compile(r"^\s*chunk \d+: ")
COPY = re.compile(r"^\s*copy \d+: (?P<address>[\d.]+):\d+ \(status:(?P<status>\w+)")
TOTAL = 9
"""Fields after a server's address: port, id, labels, version, load, maintenance, chunks, used, total."""


def servers_argv(metadata_address: str) -> list[str]:
    """The command whose output ``data_servers`` reads."""
    return ["mfscli", "-n", "-p", "-s", "|", "-H", metadata_address, "-SCS"]


def data_servers(text: str) -> dict[str, bool]:
    """Address of every data server that the metadata server knows → connected and offering space."""
    found: dict[str, bool] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        place = next((i for i, field in enumerate(fields) if ADDRESS.fullmatch(field)), None)
        if place is None:
            continue
        total = fields[place + TOTAL] if len(fields) > place + TOTAL else ""
        alive = "disconnected" not in fields[0].lower() and (integer(total) or 0) > 0
        found[fields[place]] = alive
    return found


def fewest_copies(text: str) -> int | None:
    """Valid copies of the chunk with the fewest, over all files of `mfsfileinfo`; None without any chunk."""
    counts: list[int] = []
    for line in text.splitlines():
        if CHUNK.match(line):
            counts.append(0)
        copy = COPY.match(line)
        if copy and counts and copy["status"] == "VALID":
            counts[-1] += 1
    return min(counts, default=None)
