"""The one place that starts processes: argument lists only, always a timeout, secrets by stdin or file, never argv."""

from __future__ import annotations

import os
import queue
import selectors
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from railbed import kept
from railbed.defaults import (
    COMMAND_TIMEOUT_S,
    OUTPUT_BYTES,
    SESSION_CLOSE_S,
    SESSION_LINE_BYTES,
    SESSION_LINES,
)
from railbed.errors import CommandError
from railbed.kept import Kept
from railbed.text import plain

SHOWN_LINES = 15
SHOWN_TAIL_CHARACTERS = 4000
TIMED_OUT = 124


@dataclass(frozen=True)
class Result:
    """What a process printed and how it ended; ``returncode`` is 124 when its time ran out."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    cut: bool = False
    """True where ``stdout`` lacks its middle: the process printed more than was to be kept."""

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    def tail(self) -> str:
        """The last lines of what it said, for an error message; without control characters."""
        text = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return plain("\n".join(text[-SHOWN_LINES:]))[-SHOWN_TAIL_CHARACTERS:]


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    timeout_s: float = COMMAND_TIMEOUT_S,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    keep_bytes: int = OUTPUT_BYTES,
) -> Result:
    """Runs ``argv`` to its end.

    ``env`` is added to the environment. With ``log`` both streams go to that file as they come, and ``stdout`` of the
    result is the file's text. Of each stream at most ``keep_bytes`` are kept, its beginning and its end. Raises
    CommandError when ``check`` and the process failed, was missing, ran out of time or printed more than is kept.
    """
    args = tuple(str(a) for a in argv)
    data = stdin.encode() if isinstance(stdin, str) else stdin or b""
    out, err = Kept(keep_bytes), Kept(keep_bytes)
    sink = None
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        sink = log.open("ab")
    try:
        code = _run(args, data, {**os.environ, **(env or {})}, cwd, timeout_s, sink, out, err)
    finally:
        if sink is not None:
            sink.close()
    if log is not None:
        out = kept.of_file(log, keep_bytes)
    late = f"\nstopped after {timeout_s:g} s" if code == TIMED_OUT else ""
    result = Result(args, code, out.text(), err.text() + late, out.cut)
    if check and not result.ok:
        raise CommandError(
            f"`{' '.join(args)}` ended with {result.returncode}:\n{result.tail()}",
            found=result.returncode,
            allowed=0,
            hint=f"the whole log is {log}" if log else "",
        )
    if check and result.cut and log is None:
        raise CommandError(
            f"`{' '.join(args)}` printed more than railbed reads",
            found=f"{out.total} bytes", allowed=f"{keep_bytes} bytes",
        )  # fmt: skip
    return result


def _run(
    args: tuple[str, ...], data: bytes, env: Mapping[str, str], cwd: Path | None, timeout_s: float,
    sink: IO[bytes] | None, out: Kept, err: Kept,
) -> int:  # fmt: skip
    """Starts the process, gives it ``data``, collects what it prints; returns its exit status."""
    process = _started(
        args, env=env, cwd=cwd, stdout=sink or subprocess.PIPE,
        stderr=subprocess.STDOUT if sink else subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    deadline = time.monotonic() + timeout_s
    try:
        _exchange(process, data, deadline, out, err)
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _started(args: tuple[str, ...], **how: Any) -> subprocess.Popen[bytes]:
    """Starts the process, its input a pipe. Raises CommandError where the program is missing or cannot be started."""
    try:
        return subprocess.Popen(args, stdin=subprocess.PIPE, **how)
    except FileNotFoundError as missing:
        raise CommandError(
            f"{args[0]} is not installed", hint="run `railbed doctor` to see what this machine lacks"
        ) from missing
    except OSError as refused:
        raise CommandError(f"{args[0]} cannot be started: {refused.strerror}") from refused


def _exchange(process: subprocess.Popen[bytes], data: bytes, deadline: float, out: Kept, err: Kept) -> None:
    """Until the process has closed its streams. Raises TimeoutExpired at the deadline."""
    left = memoryview(data)
    with selectors.DefaultSelector() as waiting:
        for stream, into in ((process.stdout, out), (process.stderr, err)):
            if stream is not None:
                waiting.register(stream, selectors.EVENT_READ, into)
        assert process.stdin is not None
        if left:
            os.set_blocking(process.stdin.fileno(), False)
            waiting.register(process.stdin, selectors.EVENT_WRITE)
        else:
            process.stdin.close()
        while waiting.get_map():
            rest = deadline - time.monotonic()
            if rest <= 0:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in waiting.select(rest):
                ended: Any = key.fileobj
                if key.data is not None:
                    chunk = os.read(key.fd, kept.CHUNK)
                    key.data.add(chunk)
                    over = not chunk
                else:
                    left, over = _write(key.fd, left)
                if over:
                    waiting.unregister(ended)
                    ended.close()


def _write(fd: int, left: memoryview) -> tuple[memoryview, bool]:
    """Writes what fits; the rest, and whether that was all. A process that reads no more has had enough."""
    try:
        left = left[os.write(fd, left[: kept.CHUNK]) :]
    except BrokenPipeError:
        return left, True
    except BlockingIOError:
        return left, False
    return left, not left


def alive(pid: int) -> bool:
    """True while the process runs; one that has ended and waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


class Session:
    """A process that answers line by line while it runs; ends with ``close``, with its input, or with railbed."""

    def __init__(self, argv: Sequence[str | Path]) -> None:
        """Starts ``argv``. Raises CommandError when the program is missing or cannot be started."""
        self.argv = tuple(str(a) for a in argv)
        self._lines: queue.Queue[str | None] = queue.Queue(SESSION_LINES)
        self._errors: deque[str] = deque(maxlen=SHOWN_LINES)
        self._ended = False
        self._process = _started(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._readers = [
            threading.Thread(target=self._read_lines, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_lines(self, stream: IO[bytes]) -> None:
        while line := stream.readline(SESSION_LINE_BYTES):
            self._lines.put(line.decode(errors="replace"))
        self._lines.put(None)

    def _read_errors(self, stream: IO[bytes]) -> None:
        while line := stream.readline(SESSION_LINE_BYTES):
            self._errors.append(line.decode(errors="replace").rstrip())

    @property
    def ended(self) -> bool:
        """True once the process has ended."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, data: bytes) -> bool:
        """Writes ``data``; False when the process no longer reads."""
        assert self._process.stdin
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def receive(self, timeout_s: float) -> str | None:
        """The next line, at most SESSION_LINE_BYTES of it; None when the process ended or printed none in time."""
        if self._ended:
            return None
        try:
            line = self._lines.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        self._ended = self._ended or line is None
        return line

    def close(self, timeout_s: float = SESSION_CLOSE_S) -> Result:
        """Closes the input, waits, kills what does not end; returns exit status and the last lines of stderr."""
        assert self._process.stdin
        with suppress(OSError, ValueError):
            self._process.stdin.close()
        try:
            code = self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = TIMED_OUT
        while self.receive(timeout_s) is not None:
            continue  # what nobody asked for: a full queue would hold the reader up
        for reader in self._readers:
            reader.join(timeout=timeout_s)
        for stream, reader in zip((self._process.stdout, self._process.stderr), self._readers, strict=True):
            # A stream that another process holds open still has its reader, and goes with that.
            if stream is not None and not reader.is_alive():
                stream.close()
        return Result(self.argv, code, "", "\n".join(self._errors))
