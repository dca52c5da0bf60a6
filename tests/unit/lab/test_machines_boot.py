"""The start of a virtual machine, the wait for it, and the boots that end otherwise; no machine is started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.unit.lab.test_machines import spec, uncabled

from railbed.effects.lab import hosts as containers
from railbed.effects.lab.machines import hosts, stall
from railbed.effects.lab.machines.stall import Stall, used_s
from railbed.errors import CommandError
from railbed.run import Result

__all__ = ["uncabled"]
STEP_S = 20.0
REGISTERS = "CPU#0\nEIP=0000fff0\n"


@dataclass
class Computer:
    """What happens to a machine that is told to start; its clock goes on by ``STEP_S`` at each look."""

    runs: bool = False
    answers: bool = False
    qmp: bool = True
    used_share: float = 0.0
    """Of one processor."""
    now_s: float = 0.0
    requests: Callable[[float], int] = lambda now_s: 0
    done: list[str] = field(default_factory=list)

    def run(self, *words: object, **more: object) -> Result:
        self.done.append("start")
        self.runs = True
        return Result((), 0, "", "")

    def clock(self) -> float:
        self.now_s += STEP_S
        return self.now_s

    def end(self, machine: str) -> None:
        self.done.append("end")
        self.runs = False

    def tell(self, control: Path, command: str, /, **arguments: Any) -> Any:
        if not self.qmp:
            raise CommandError("QEMU does not take it")
        if command == "query-blockstats":
            stats = {"rd_operations": self.requests(self.now_s), "wr_operations": 0}
            return [{"device": "root", "stats": stats}]
        self.done.append(command)
        return REGISTERS if command == "human-monitor-command" else {}

    @property
    def resets(self) -> int:
        return self.done.count("system_reset")


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch, uncabled: None) -> Computer:
    one = Computer()
    monkeypatch.setattr(hosts.shutil, "which", lambda name: name)
    monkeypatch.setattr(hosts, "run", one.run)
    monkeypatch.setattr(hosts.time, "monotonic", one.clock)
    monkeypatch.setattr(hosts.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(hosts, "used_s", lambda pidfile: one.used_share * one.now_s)
    monkeypatch.setattr(containers, "answers", lambda host: one.answers)
    monkeypatch.setattr(containers, "running", lambda host: one.runs)
    monkeypatch.setattr(containers, "end_processes", one.end)
    monkeypatch.setattr(hosts.control, "tell", one.tell)
    return one


def refused(made: hosts.MachineSpec) -> CommandError:
    with pytest.raises(CommandError) as error:
        hosts.ensure(made)
    return error.value


def test_a_machine_that_answers_is_left_alone(tmp_path: Path, computer: Computer) -> None:
    computer.runs = computer.answers = True
    hosts.ensure(spec(tmp_path))
    assert computer.done == []


def test_a_machine_in_the_middle_of_its_boot_is_waited_for(tmp_path: Path, computer: Computer) -> None:
    computer.runs = True
    assert refused(spec(tmp_path)).code == "MACHINE_BOOT"
    assert "start" not in computer.done
    assert computer.done[-1] == "end", (
        "one that never answers is ended, or the next run would wait for it again"
    )


def test_qemu_that_ends_at_once_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computer: Computer
) -> None:
    said = "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory"
    monkeypatch.setattr(hosts, "run", lambda *words, **more: Result((), 1, "", said))
    error = refused(spec(tmp_path))
    assert error.code == "MACHINE_START"
    assert "Cannot allocate memory" in str(error.found)
    assert computer.done[-1] == "end"


def test_a_kernel_that_panics_is_shown_with_its_console_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computer: Computer
) -> None:
    made = spec(tmp_path)

    def start(*words: object, **more: object) -> Result:
        console = made.host.folder / "console.log"
        console.write_text("VFS: Unable to mount root fs\nKernel panic - not syncing: VFS\n")
        return computer.run()

    monkeypatch.setattr(hosts, "run", start)
    error = refused(made)
    assert error.code == "MACHINE_BOOT"
    assert "Unable to mount root fs" in str(error.found)
    assert computer.done == ["end", "start", "end"]


@pytest.mark.parametrize("used_share", [0.0, 1.0], ids=["idle", "busy"])
def test_a_machine_that_hangs_is_reset_twice_and_then_given_up(
    tmp_path: Path, computer: Computer, used_share: float
) -> None:
    made, computer.used_share = spec(tmp_path), used_share
    assert refused(made).code == "MACHINE_BOOT"
    assert computer.resets == hosts.MOST_RESETS
    kept = {one.name: one.read_text() for one in made.host.folder.glob("registers-*")}
    assert kept == {"registers-1": REGISTERS, "registers-2": REGISTERS}
    first = computer.done.index("system_reset")
    assert computer.done[first - 1] == "human-monitor-command", "a reset loses where the processors were"


def test_a_machine_that_reads_its_disk_is_not_reset(tmp_path: Path, computer: Computer) -> None:
    computer.used_share, computer.requests = 1.0, int
    assert refused(spec(tmp_path)).code == "MACHINE_BOOT"
    assert computer.resets == 0


def test_a_machine_whose_qemu_does_not_answer_is_given_up_in_the_end(
    tmp_path: Path, computer: Computer
) -> None:
    computer.qmp = False
    assert refused(spec(tmp_path)).code == "MACHINE_BOOT"
    assert computer.done[-1] == "end"


def seen(share: float, moves: Callable[[int], int] = lambda now_s: 0) -> list[int]:
    """Seconds of ten minutes at which a machine that uses so much of a processor is said to hang."""
    one = Stall()
    return [now for now in range(0, 600, 5) if one.seen(now, share * now, (moves(now),))]


def test_a_boot_without_progress_hangs_when_it_is_idle_and_when_it_is_busy() -> None:
    assert seen(0.01) == [90, 180, 270, 360, 450, 540]
    assert seen(2.0)[:3] == [35, 70, 105]


def test_a_boot_that_a_busy_computer_starves_is_slow() -> None:
    assert seen(0.05) == []


def test_a_boot_that_moves_is_slow() -> None:
    assert seen(0.01, moves=lambda now_s: now_s // 60) == []
    assert seen(1.0, moves=lambda now_s: now_s // 55) == []


def test_idle_after_a_busy_stretch_is_found_too() -> None:
    one = Stall()
    found = [now for now in range(0, 600, 5) if one.seen(now, min(now, 50.0), (0,))]
    assert found[0] <= 2 * stall.IDLE_S


def test_processor_seconds_are_the_processs_own(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    assert used_s(pidfile) == 0.0
    pidfile.write_text(f"{os.getpid()}\n")
    assert 0 < used_s(pidfile) <= time.process_time() + 1
