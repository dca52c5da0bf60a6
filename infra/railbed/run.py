"""The one place that starts processes: argument lists only, always a timeout, secrets by stdin or file, never argv."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from railbed.defaults import COMMAND_TIMEOUT_S
from railbed.errors import CommandError

SHOWN_LINES = 15


@dataclass(frozen=True)
class Result:
    """What a process printed and how it ended; ``returncode`` is 124 when its time ran out."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    def tail(self) -> str:
        """The last lines of what it said, for an error message."""
        text = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return "\n".join(text[-SHOWN_LINES:])


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    timeout_s: float = COMMAND_TIMEOUT_S,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> Result:
    """Runs ``argv`` to its end.

    ``env`` is added to the environment. With ``log`` both streams go to that file as they come, and ``stdout`` of the
    result is the file's text. Raises CommandError when ``check`` and the process failed, was missing or ran out of time.
    """
    args = tuple(str(a) for a in argv)
    full_env = {**os.environ, **(env or {})}
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as sink:
                done = subprocess.run(
                    args, input=data, stdout=sink, stderr=subprocess.STDOUT, env=full_env, cwd=cwd,
                    timeout=timeout_s, check=False,
                )  # fmt: skip
            result = Result(args, done.returncode, log.read_text(errors="replace"), "")
        else:
            done = subprocess.run(
                args, input=data if data is not None else b"", capture_output=True, env=full_env, cwd=cwd,
                timeout=timeout_s, check=False,
            )  # fmt: skip
            result = Result(
                args,
                done.returncode,
                done.stdout.decode(errors="replace"),
                done.stderr.decode(errors="replace"),
            )
    except FileNotFoundError as missing:
        raise CommandError(
            f"{args[0]} is not installed", hint="run `railbed doctor` to see what this machine lacks"
        ) from missing
    except subprocess.TimeoutExpired as expired:
        out = (expired.stdout or b"").decode(errors="replace")
        err = (expired.stderr or b"").decode(errors="replace")
        result = Result(args, 124, out, err + f"\nstopped after {timeout_s:g} s")
    if check and not result.ok:
        raise CommandError(
            f"`{' '.join(args)}` ended with {result.returncode}:\n{result.tail()}",
            found=result.returncode,
            allowed=0,
            hint=f"the whole log is {log}" if log else "",
        )
    return result


def alive(pid: int) -> bool:
    """True while the process runs; one that has ended and waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"
