"""The lab's stand-in for nccl-tests: arguments, places, table, log, and how it ends: as railbed reads the real one."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from railbed.effects.lab import standin_packages
from railbed.effects.lab.vendor import StandIn
from railbed.judge import nccl_transport
from railbed.laws import ranks
from railbed.parse import nccl_debug, nccl_tests
from railbed.validate import collective_programs

OPS = ["all_reduce", "all_gather", "reduce_scatter", "alltoall"]


def options(program: SimpleNamespace, *argv: str) -> Any:
    return program.options.arguments(list(argv), "all_reduce_perf")


def test_arguments_of_nccl_tests(program: SimpleNamespace) -> None:
    words = [
        "-b",
        "8",
        "-e",
        "128M",
        "-f",
        "4",
        "-n",
        "20",
        "-w",
        "5",
        "-c",
        "1",
        "-a",
        "3",
        "-g",
        "1",
        "-z",
        "1",
    ]
    args = options(program, *words)
    assert (args.minbytes, args.maxbytes, args.iters, args.average) == (8, 128 << 20, 20, 3)
    found = program.options.sizes(args)
    assert (found[0], found[-1]) == (8, 128 << 20)
    assert all(b == 4 * a for a, b in itertools.pairwise(found))
    assert program.options.sizes(options(program, "-b", "1M", "-e", "3M", "-i", "1M")) == [
        1 << 20,
        2 << 20,
        3 << 20,
    ]
    assert program.options.sizes(options(program)) == [32 << 20]


@pytest.mark.parametrize("argv", [("-b", "0"), ("-b", "8M", "-e", "4M"), ("-n", "0"), ("-b", "many")])
def test_sizes_that_cannot_be(program: SimpleNamespace, argv: tuple[str, ...]) -> None:
    with pytest.raises(program.options.Failure) as refused:
        options(program, *argv)
    assert refused.value.status == 255


@pytest.mark.parametrize("argv", [("--op", "all_red"), ("-d", "half"), ("-q", "1"), ("--counters",), ("-h",)])
def test_words_that_it_does_not_have_get_its_usage(program: SimpleNamespace, argv: tuple[str, ...]) -> None:
    with pytest.raises(program.options.Unknown):
        options(program, *argv)


@pytest.mark.parametrize(
    ("nodelist", "first"),
    [
        ("h100-[0-3]", "h100-0"),
        ("h100-[2,4-5],x", "h100-2"),
        ("a,b", "a"),
        ("a", "a"),
        ("", ""),
        ("n[01-16]-ib", "n01-ib"),
    ],
)
def test_first_host_of_a_slurm_list(program: SimpleNamespace, nodelist: str, first: str) -> None:
    assert program.rail_groups.first_host(nodelist) == first


def test_rails_come_from_nccls_settings(
    program: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf, groups = tmp_path / "nccl.conf", program.rail_groups
    assert groups.rails_of(groups.settings(str(conf))) == []
    conf.write_text("# rails\nNCCL_DEBUG=WARN\nNCCL_SOCKET_IFNAME==rail0,rail1\n")
    assert groups.rails_of(groups.settings(str(conf))) == ["rail0", "rail1"]
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "rail5")
    assert groups.rails_of(groups.settings(str(conf))) == ["rail5"]


def test_a_place_under_srun(program: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {
        "SLURM_NTASKS": "4", "SLURM_STEP_NODELIST": "h100-[1-4]", "SLURM_JOB_ID": "17", "SLURM_STEP_ID": "3",
    }  # fmt: skip
    for name, value in reply.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PMIX_RANK", raising=False)
    assert program.rail_groups.Place.from_environment().size == 1, "without PMIx every process is alone"
    monkeypatch.setenv("PMIX_RANK", "2")
    place = program.rail_groups.Place.from_environment()
    assert (place.rank, place.size, place.master) == (2, 4, "h100-1")
    monkeypatch.setenv("SLURM_STEP_ID", "4")
    assert program.rail_groups.Place.from_environment().port != place.port


@pytest.mark.parametrize("how", [0, 1, 2, 3])
def test_times_of_ranks_are_combined_as_asked(program: SimpleNamespace, how: int) -> None:
    assert program.benchmark.combine([2.0, 1.0, 4.0, 1.0], how) == [2.0, 2.0, 1.0, 4.0][how]


class Moves:
    """As much of a bench as a table uses: every run takes a second."""

    rank, size = 0, 4

    def __init__(self, wrong: int) -> None:
        self.runs, self.found = 0, wrong
        self.groups = SimpleNamespace(exchange=lambda value: [value] * self.size)

    def count(self, _: str, nbytes: int) -> int:
        return nbytes // 4

    def fill(self, *_: Any, in_place: bool) -> None:
        pass

    def run(self, _: str, __: int, iterations: int, *, in_place: bool) -> list[float]:
        self.runs += iterations
        return [float(iterations)]

    def wrong(self, *_: Any) -> int:
        return self.found


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("wrong", [0, 7])
def test_it_runs_as_often_as_nccl_tests_do_and_its_table_is_read(
    program: SimpleNamespace, capsys: pytest.CaptureFixture[str], op: str, wrong: int
) -> None:
    moves, args = (
        Moves(wrong),
        options(program, *["-b", "64M", "-e", "64M", "-n", "2", "-w", "1", "-a", "3", "-c", "1"]),
    )
    people = [{"node": f"h100-{rank}", "pid": 100 + rank} for rank in range(4)]
    program.program.say(program.report.head(op, args, people, "2.16.3"))
    found = program.program.table(moves, op, args)
    assert moves.runs == collective_programs.message_bytes([1])
    log = nccl_tests.read(capsys.readouterr().out)
    (read,) = log.tables
    assert (log.unread, read.collective, read.labelled_ranks, read.nodes[3]) == ([], op, 4, "h100-3")
    assert (read.simulated, read.complete, read.out_of_bounds) == ("TCP rails at 1:4000", True, found)
    halves = [read.rows[0].out_of_place, read.rows[0].in_place]
    assert [half.algbw_gbytes_per_s for half in halves] == pytest.approx([(64 << 20) / 1e9] * 2, rel=1e-6)
    checked = halves[:1] if op == "alltoall" else halves
    assert {half.wrong for half in checked} == {4 * wrong}
    assert read.average_busbw_gbytes_per_s == pytest.approx(halves[0].busbw_gbytes_per_s, rel=1e-5)


@pytest.mark.parametrize(
    ("size", "time_us"), [(64 << 20, 1_017_281.93), (1 << 20, 12.5), (1 << 34, 2e9), (8, 1350.7)]
)
def test_bandwidths_have_digits_enough_to_tell_the_ranks(
    program: SimpleNamespace, size: int, time_us: float
) -> None:
    args = options(program, "-b", str(size), "-e", str(size))
    halves = [{"time_us": time_us, "wrong": 0}, {"time_us": time_us, "wrong": 0}]
    row = {"size_bytes": size, "count": size // 4, "halves": halves}
    people = [{"node": f"h100-{rank}", "pid": 1} for rank in range(4)]
    head = program.report.head("all_reduce", args, people, "2.16.3")
    read = nccl_tests.read(f"{head}\n{program.report.line('all_reduce', 4, row)}").tables[0]
    assert ranks.problems(read, ranks.of_table(read), 4) == []
    assert len(read.rows[0].in_place.printed["busbw"].replace(".", "").lstrip("0")) >= 6


def test_its_log_names_the_rails_that_there_are(
    program: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nccl = program.nccl_log
    monkeypatch.setattr(nccl, "carrier", lambda name: name != "rail2")
    monkeypatch.setattr(nccl, "address", lambda name: f"10.0.{name[-1]}.1")
    file = tmp_path / "log.%h.%p"
    log = nccl.NcclLog(
        {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_FILE": str(file), "NCCL_SOCKET_IFNAME": "rail0,rail1,rail2"}
    )
    place, rails = program.rail_groups.Place(1, 4, "h100-0", 1), ["rail0", "rail1", "rail2"]
    log.begin(place, rails)
    log.connected(place, rails[:2])
    log.warn("rail2: cannot connect")
    (written,) = tmp_path.iterdir()
    assert str(os.getpid()) in written.name and "%" not in written.name
    read = nccl_debug.read(written.read_text())
    assert (read.devices, read.network, read.ranks, read.nodes) == (["rail0", "rail1"], "Socket", 4, 4)
    assert (read.transports, read.warnings) == ({"NET/Socket": 4}, ["rail2: cannot connect"])
    assert "SIMULATED" in written.read_text()
    assert nccl_transport.judge_log(read, "infiniband").verdict == "fail"
    assert nccl_transport.judge_log(read, "tcp", ["rail0", "rail1"]).verdict == "pass"
    assert nccl_transport.judge_log(read, "tcp", rails).reason == "they do not use rail2"
    assert "use rail1, which is no rail" in nccl_transport.judge_log(read, "tcp", ["rail0"]).reason


def test_a_log_that_nobody_asked_for_is_not_written(program: SimpleNamespace, tmp_path: Path) -> None:
    program.nccl_log.NcclLog({"NCCL_DEBUG_FILE": str(tmp_path / "log")}).warn("x")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Starts all_reduce_perf as the lab's package has it."""
    deb = standin_packages.package(StandIn("nccl_tests", "nccl-tests", "2.16.3-1", "2.16.3"))
    for path, source in deb.files.items():
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text() if isinstance(source, Path) else source
        place.write_text(text.replace(standin_packages.MARKS, f"{tmp_path}{standin_packages.MARKS}"))
    perf = tmp_path / "opt/railbed/nccl-tests/bin/all_reduce_perf"

    def run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, perf, *argv], env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip

    return run


def test_how_it_ends(tmp_path: Path, start: Any) -> None:
    alone = start(NCCL_SOCKET_IFNAME="rail0", SLURM_NTASKS="2")
    assert (alone.returncode, alone.stderr.splitlines()) == (
        1, ["all_reduce_perf: one rank is no collective: start several with `srun --mpi=pmix`"],
    )  # fmt: skip
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    member = {"PMIX_RANK": "0", "SLURM_NTASKS": "2", "PYTHONPATH": str(tmp_path)}
    torchless = start(**member, NCCL_SOCKET_IFNAME="rail0")
    assert (torchless.returncode, "no torch here" in torchless.stderr) == (1, True)
    log = tmp_path / "nccl.log"
    railless = start(**member, NCCL_DEBUG="WARN", NCCL_DEBUG_FILE=str(log))
    assert (railless.returncode, "Test NCCL failure" in railless.stdout) == (3, True)
    assert "names no rail" in nccl_debug.read(log.read_text()).warnings[0]
    invalid = start("-b", "8M", "-e", "4M")
    assert (invalid.returncode, "invalid sizes" in invalid.stderr) == (255, True)
    usage = start("--frequency", "9")
    assert (usage.returncode, nccl_tests.read(usage.stdout).tables) == (0, [])
