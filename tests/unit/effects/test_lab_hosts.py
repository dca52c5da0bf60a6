"""Whose process a host's pidfile names: also in the moment in which that process executes its next program."""

from __future__ import annotations

import subprocess
from pathlib import Path

from railbed.effects.lab import hosts

MACHINE = "rb-0123456789-h100-0"
ROUNDS = 300
# Executes itself again and again, as a booting host does twice: sh, setsid, systemd-nspawn.
AGAIN = """n=$(($1 - 1))
[ "$n" -gt 0 ] || exec sh -c 'touch "$1"; read line' "$2" "$3"
exec sh "$0" "$n" "$2" "$3"
"""


def test_a_process_that_executes_another_program_is_not_gone(tmp_path: Path) -> None:
    script, pidfile, done = tmp_path / "again.sh", tmp_path / "pid", tmp_path / "done"
    script.write_text(AGAIN)
    with subprocess.Popen(["sh", script, str(ROUNDS), MACHINE, done], stdin=subprocess.PIPE) as process:
        pidfile.write_text(str(process.pid))
        try:
            seen = set()
            while not done.exists():
                seen.add(hosts.leader(pidfile, MACHINE))
            assert seen == {process.pid}
        finally:
            process.kill()


def test_another_program_with_the_recorded_number_is_not_the_host(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    with subprocess.Popen(["sleep", "60"]) as process:
        pidfile.write_text(str(process.pid))
        try:
            assert hosts.leader(pidfile, MACHINE) is None
        finally:
            process.kill()


def test_a_dead_process_is_not_the_host(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    process = subprocess.Popen(["true"])
    pidfile.write_text(str(process.pid))
    process.poll()  # a zombie until it is waited for
    assert hosts.leader(pidfile, MACHINE) is None
    process.wait()
    assert hosts.leader(pidfile, MACHINE) is None
