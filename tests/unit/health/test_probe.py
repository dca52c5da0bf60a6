"""Commands on a node: bounded in time, also where a process cannot be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from railbed.validate.node.probe import NOT_EXECUTABLE, NOT_FOUND, NOT_RUN, TIMED_OUT, Probe

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
TRUE = [sys.executable, "-c", "print('yes')"]


def test_an_answer_and_what_is_none() -> None:
    probe = Probe()
    assert (probe.run(TRUE).code, probe.run(TRUE).first_line) == (0, "yes")
    assert probe.run(["no-such-program"]).code == NOT_FOUND
    assert probe.run(["/etc/passwd"]).code == NOT_EXECUTABLE


def test_several_share_one_time() -> None:
    began = time.monotonic()
    answers = Probe().together([SLEEP, ["echo", "yes"], SLEEP], 1.5)
    assert [one.code for one in answers] == [TIMED_OUT, 0, TIMED_OUT]
    assert time.monotonic() - began < 30


def test_a_program_that_was_silent_is_not_asked_again() -> None:
    probe = Probe()
    assert probe.run(SLEEP, 0.2).code == TIMED_OUT
    assert probe.run(TRUE).code == TIMED_OUT
    assert Probe(deadline_s=time.monotonic() - 1).run(TRUE).code == NOT_RUN


def test_a_process_that_cannot_be_ended_is_left_and_not_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one in state D: the kill does nothing."""
    monkeypatch.setattr(subprocess.Popen, "kill", lambda self: None)
    probe = Probe()
    began = time.monotonic()
    assert probe.together([SLEEP], 0.2)[0].code == TIMED_OUT
    assert time.monotonic() - began < 30, "it is not waited for"
    (left,) = probe.stuck.values()
    monkeypatch.undo()
    starts: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: starts.append(args))
    again = Probe(stuck=probe.stuck)
    assert "cannot be ended" in again.together([SLEEP])[0].err and starts == []
    assert 0 < again.hung_s(SLEEP[0]) < time.clock_gettime(time.CLOCK_BOOTTIME)
    assert again.hung_s("nvidia-smi") == 0, "another program's"
    monkeypatch.undo()
    os.kill(left.pid, signal.SIGKILL)
    os.waitpid(left.pid, 0)
    assert Probe(stuck=probe.stuck).stuck == {}, "it has ended since"


class _Metadata(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path == "/block" and self.headers["Authorization"] == "Bearer Oracle"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b"block-1\n")

    def log_message(self, *_: object) -> None: ...


def test_the_metadata_service_is_asked_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Metadata) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}"
        assert Probe().get(f"{at}/block", {"Authorization": "Bearer Oracle"}, 5) == "block-1\n"
        assert Probe().get(f"{at}/block", {}, 5) is None
        server.shutdown()
    assert Probe().get(f"{at}/block", {}, 5) is None, "nobody answers there"
