"""Tells a running QEMU something (QEMU Machine Protocol, docs/interop/qmp-spec)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from railbed.errors import CommandError

ANSWER_S = 20.0
"""A machine whose processor is emulated on a busy computer answers late."""


def tell(control: Path, command: str, /, **arguments: Any) -> Any:
    """What QEMU returns for one command. Raises CommandError where it refuses, or nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(ANSWER_S)
            channel.connect(str(control))
            # Not one file for both ways: what it has read ahead is dropped when it is written to.
            with channel.makefile("r", encoding="utf-8") as lines:
                json.loads(lines.readline())
                for asked in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    channel.sendall(json.dumps(asked).encode() + b"\n")
                    answer = _answer(lines)
    except (OSError, ValueError) as error:
        raise CommandError(f"QEMU does not take {command}", path=str(control), found=str(error)) from None
    if "error" in answer:
        raise CommandError(f"QEMU refuses {command}", path=str(control), found=answer["error"].get("desc"))
    return answer["return"]


def requests(control: Path, drive: str) -> int:
    """Reads and writes that a drive was asked for since QEMU started. Raises what ``tell`` raises."""
    found = [one["stats"] for one in tell(control, "query-blockstats") if one.get("device") == drive]
    return sum(int(stats["rd_operations"]) + int(stats["wr_operations"]) for stats in found)


def monitor(control: Path, command: str) -> str:
    """What QEMU's monitor for people prints. Raises what ``tell`` raises."""
    return str(tell(control, "human-monitor-command", **{"command-line": command}))


def _answer(lines: Any) -> dict[str, Any]:
    """The next answer; events that come between are nobody's question."""
    while True:
        said: dict[str, Any] = json.loads(lines.readline())
        if "return" in said or "error" in said:
            return said
