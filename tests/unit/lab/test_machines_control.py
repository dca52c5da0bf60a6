"""QEMU's control protocol against a socket that answers as QEMU does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from railbed.effects.lab.machines import control
from railbed.errors import CommandError

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": ["oob"]}}
EVENT = {"event": "RESET", "data": {"guest": False}, "timestamp": {"seconds": 1, "microseconds": 2}}


@contextmanager
def answering(path: Path, answer: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """One session, in which an event comes before the last answer."""
    asked: list[dict[str, Any]] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as session, session.makefile("r") as lines:
                said = (GREETING, {"return": {}}, EVENT, answer)
                session.sendall("".join(json.dumps(one) + "\n" for one in said).encode())
                asked.extend(json.loads(line) for line in lines)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_an_answer_is_given_and_events_are_passed_over(tmp_path: Path) -> None:
    with answering(tmp_path / "qmp", {"return": {"status": "running"}}) as asked:
        assert control.tell(tmp_path / "qmp", "set_link", name="rail3", up=False) == {"status": "running"}
    assert asked == [
        {"execute": "qmp_capabilities"},
        {"execute": "set_link", "arguments": {"name": "rail3", "up": False}},
    ]


def test_a_refusal_is_an_error_with_qemus_words(tmp_path: Path) -> None:
    refusal = {"error": {"class": "DeviceNotFound", "desc": "Device 'rail99' not found"}}
    with answering(tmp_path / "qmp", refusal), pytest.raises(CommandError) as refused:
        control.tell(tmp_path / "qmp", "set_link", name="rail99", up=False)
    assert refused.value.found == "Device 'rail99' not found"


def test_a_machine_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="system_powerdown"):
        control.tell(tmp_path / "qmp", "system_powerdown")


def test_requests_of_one_drive_are_counted(tmp_path: Path) -> None:
    """The answer has the form that QEMU 7.2 gave."""
    drives = [
        {
            "device": "root",
            "stats": {"rd_operations": 7, "wr_operations": 2},
            "qdev": "/machine/peripheral-anon/device[0]",
        },
        {"device": "nvme00", "stats": {"rd_operations": 40, "wr_operations": 0}},
    ]
    with answering(tmp_path / "qmp", {"return": drives}) as asked:
        assert control.requests(tmp_path / "qmp", "root") == 9
    assert asked[-1] == {"execute": "query-blockstats", "arguments": {}}


def test_the_monitor_for_people_prints_text(tmp_path: Path) -> None:
    with answering(tmp_path / "qmp", {"return": "\r\nCPU#0\r\nEAX=00000000"}) as asked:
        assert "CPU#0" in control.monitor(tmp_path / "qmp", "info registers -a")
    assert asked[-1]["arguments"] == {"command-line": "info registers -a"}
