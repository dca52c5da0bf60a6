"""The one place that starts processes: whatever a process prints, memory is bounded and nothing hangs."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import kept
from railbed.errors import CommandError
from railbed.kept import Kept
from railbed.run import Result, run

PYTHON = sys.executable


@given(st.integers(2, 40), st.lists(st.binary(max_size=60), max_size=20))
def test_the_beginning_and_the_end_are_kept(limit: int, pieces: list[bytes]) -> None:
    whole, kept_of_it = b"".join(pieces), Kept(limit)
    for piece in pieces:
        kept_of_it.add(piece)
    half = limit // 2
    text = kept_of_it.text()
    assert kept_of_it.total == len(whole)
    assert kept_of_it.cut == (len(whole) > 2 * half)
    if not kept_of_it.cut:
        assert text == whole.decode(errors="replace")
    else:
        assert text.startswith(whole[:half].decode(errors="replace"))
        assert text.endswith(whole[-half:].decode(errors="replace"))
        assert f"{len(whole) - 2 * half} bytes left out here" in text


def test_a_file_is_kept_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" * 300_000 + b"b" * 300_000)
    found = kept.of_file(path, 10)
    assert found.text() == "aaaaa\n[railbed: 599990 bytes left out here]\nbbbbb"


def test_both_streams_and_the_status_come_back() -> None:
    result = run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin="in", check=False)
    assert (result.returncode, result.stdout, result.stderr, result.cut) == (3, "in", "err\n", False)


def test_much_comes_in_and_goes_out_at_the_same_time() -> None:
    data = b"0123456789abcdef" * (1 << 19)
    result = run(["cat"], stdin=data)
    assert result.stdout.encode() == data


def test_a_process_that_reads_nothing_is_no_error() -> None:
    assert run(["true"], stdin=b"x" * 10_000_000).ok


def test_200_mb_of_output_take_little_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    script = "import sys; b = b'x' * 1000000; [sys.stdout.buffer.write(b) for _ in range(200)]"
    result = run([PYTHON, "-c", script], check=False, keep_bytes=1_000_000)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert result.cut
    assert result.ok
    assert "199000000 bytes left out here" in result.stdout
    assert len(result.stdout) < 1_000_100
    assert (after - before) / 1024 < 60, "MiB"


def test_what_was_cut_is_an_error_where_the_output_is_asked_for() -> None:
    with pytest.raises(CommandError, match="printed more than railbed reads"):
        run([PYTHON, "-c", "print('x' * 1000)"], keep_bytes=100)


def test_a_log_is_whole_on_disk_and_bounded_in_memory(tmp_path: Path) -> None:
    log = tmp_path / "new" / "log.txt"
    result = run([PYTHON, "-c", "print('x' * 1000)"], log=log, keep_bytes=100)
    assert log.stat().st_size == 1001
    assert result.cut
    assert len(result.stdout) < 200


@pytest.mark.parametrize("script", ["echo early; sleep 60", "exec >&- 2>&-; sleep 60", "cat; sleep 60"])
def test_a_process_that_is_late_is_ended(script: str) -> None:
    began = time.monotonic()
    result = run(["sh", "-c", f"exec 9<&0; {script}"], check=False, timeout_s=0.5, stdin=b"")
    assert time.monotonic() - began < 30
    assert result.returncode == 124
    assert "stopped after 0.5 s" in result.stderr
    assert ("early" in result.stdout) == ("early" in script)


def test_a_late_process_that_reads_nothing_is_ended() -> None:
    assert run(["sleep", "60"], check=False, timeout_s=0.5, stdin=b"x" * 10_000_000).returncode == 124


def test_a_program_that_is_missing_or_may_not_run_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no-such-program is not installed"):
        run(["no-such-program"])
    (tmp_path / "file").write_text("x")
    with pytest.raises(CommandError, match="cannot be started: Permission denied"):
        run([tmp_path / "file"])


def test_the_tail_is_short_and_without_control_characters() -> None:
    result = Result(
        (), 1, "", "\n".join(["gone"] * 20 + ["\x1b[2Jlast\x1b]52;c;aGk=\x07 \u202eend" + "x" * 9000])
    )
    assert len(result.tail()) == 4000
    assert "\x1b" not in result.tail()
    short = Result((), 1, "out\x1b[0m", "")
    assert short.tail() == "out"
