"""Reading nccl-tests logs: every dialect to the same numbers, every damage told, no text that breaks it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.parse import nccl_tests

DATA = Path(__file__).parent.parent / "data"
LOGS = DATA / "parse" / "nccl_tests"


def read(name: str) -> nccl_tests.Log:
    return nccl_tests.read((LOGS / name).read_bytes().decode())


def busbw(table: nccl_tests.Table) -> list[float | None]:
    return [
        None if b is None else round(b, 2) for b in (r.out_of_place.busbw_gbytes_per_s for r in table.rows)
    ]


@pytest.mark.parametrize(
    "name",
    [
        "two-nodes.log", "srun-labelled.log", "mpirun-tagged.log", "timestamps.log", "ansi.log", "syslog.log",
        "kubectl-cri.log", "openmpi5-timestamps.log", "hydra.log", "per-iteration.log", "report.json",
    ],
)  # fmt: skip
def test_launchers_do_not_change_what_is_read(name: str) -> None:
    log = read(name)
    assert len(log.tables) == 1
    table = log.tables[0]
    assert table.collective == "all_reduce"
    assert table.labelled_ranks == 16
    assert table.nodes == ["node-0", "node-1"]
    assert busbw(table) == [437.0, 465.9, 487.1]
    assert [row.size_bytes for row in table.rows] == [1 << 30, 4 << 30, 16 << 30]
    assert [row.root for row in table.rows] == [-1] * 3
    assert [m.wrong for row in table.rows for m in row.measurements()] == [0] * 6
    assert table.average_busbw_gbytes_per_s == pytest.approx(463.333)
    assert table.complete
    assert not table.lacks_rows
    assert table.out_of_bounds == 0
    assert table.settings["iters"] == 20
    assert table.settings["validation"] == 1


def test_lines_of_others_are_kept_as_unread() -> None:
    assert read("two-nodes.log").unread == []
    assert read("srun-labelled.log").unread == ["warning: cpu frequency is not pinned"]
    assert read("mpirun-tagged.log").unread == ["node-1 NCCL INFO Bootstrap : Using eth0"]


def test_several_tables_keep_their_collectives() -> None:
    first, second = read("several.log").tables
    assert (first.collective, second.collective) == ("all_reduce", "all_gather")
    assert busbw(second) == [295.0, 323.5]
    assert second.rows[0].in_place.wrong is None
    assert second.rows[0].in_place.busbw_gbytes_per_s == 295.0
    assert second.rows[0].root == -1
    assert first.labelled_ranks == second.labelled_ranks == 32


def test_a_cut_row_is_not_guessed_at() -> None:
    log = read("truncated.log")
    table = log.tables[0]
    assert busbw(table) == [437.0, 465.9]
    assert table.lacks_rows
    assert not table.complete
    assert log.unread == [" 17179869184    4294967296     float     sum      -1  66130"]


def test_a_whole_table_lacks_nothing() -> None:
    assert not read("two-nodes.log").tables[0].lacks_rows


def test_not_a_number_is_absent_and_told() -> None:
    table = read("nan.log").tables[0]
    assert [row.out_of_place.broken for row in table.rows] == [False, False, True]
    assert busbw(table)[2] is None


def test_data_that_were_not_checked_are_neither_right_nor_wrong() -> None:
    table = read("unchecked.log").tables[0]
    assert [row.out_of_place.wrong for row in table.rows] == [None] * 3
    assert busbw(table) == [437.0, 465.9, 487.1]
    assert table.settings["validation"] == 0


def test_versions_without_a_root_column_and_with_error() -> None:
    table = read("old-all-gather.log").tables[0]
    assert busbw(table) == [227.85]
    row = table.rows[0]
    assert (row.type, row.redop, row.root) == ("float", "", None)
    assert (row.out_of_place.error, row.out_of_place.wrong) == (0.0, None)
    assert table.labelled_ranks == 8


def test_split_groups_count_their_own_ranks() -> None:
    lines = [
        f"#  Rank {r:2d} Group {r % 8:2d} Pid 100 on node-{r // 8} device {r % 8} [0000:04:00] GPU"
        for r in range(16)
    ]
    header = "#  size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
    table = nccl_tests.read("\n".join([*lines, header])).tables[0]
    assert table.labelled_ranks == 2


def test_a_split_mask_is_seen() -> None:
    table = read("split-mask.log").tables[0]
    assert (table.labelled_ranks, table.group_sizes) == (2, [2] * 8)


def test_the_highest_rank_tells_where_the_first_lines_are_missing() -> None:
    """Published: only the last of the rank lines is quoted, and it names another number than the factor gives."""
    table = read("published/coreweave-gb200-2-racks.log").tables[0]
    assert table.labelled_ranks == 144
    assert read("wrong-label.log").tables[0].labelled_ranks == 8


def test_in_place_only() -> None:
    table = read("in-place-only.log").tables[0]
    assert [row.out_of_place.present for row in table.rows] == [False] * 3
    assert [row.in_place.busbw_gbytes_per_s for row in table.rows] == [437.0, 465.9, 487.1]
    # Without the blanks it is a row that was cut after its first half.
    cut = (LOGS / "in-place-only.log").read_text().replace(" " * 32, " " * 8)
    assert nccl_tests.read(cut).tables[0].rows == []


def test_the_first_versions_print_milliseconds() -> None:
    table = read("before-2.0.log").tables[0]
    assert [row.out_of_place.time_us for row in table.rows] == [985.0, 1893.0]
    assert [row.out_of_place.error for row in table.rows] == [1e-6] * 2
    assert table.labelled_ranks == 8
    assert table.average_busbw_gbytes_per_s == 121.6
    for row in table.rows:
        time = row.out_of_place.time_us
        assert time is not None
        assert row.size_bytes / time / 1e3 == pytest.approx(row.out_of_place.algbw_gbytes_per_s, abs=0.01)


def test_csv() -> None:
    table = read("export.csv").tables[0]
    assert busbw(table) == [437.0, 465.9, 487.1]
    assert [row.root for row in table.rows] == [-1] * 3


def test_a_report_with_gaps() -> None:
    table = read("report-degraded.json").tables[0]
    assert [row.out_of_place.present for row in table.rows] == [True, False, True]
    assert [row.in_place.broken for row in table.rows] == [False, False, True]
    assert table.rows[0].in_place.wrong is None


def test_a_report_that_was_cut_keeps_its_whole_results() -> None:
    table = read("report-truncated.json").tables[0]
    assert (table.collective, table.labelled_ranks) == ("all_reduce", 16)
    assert busbw(table) == [437.0, 465.9]
    assert table.lacks_rows
    assert not table.complete


def test_whoever_started_the_program_may_name_it() -> None:
    text = "\n".join(
        line for line in (LOGS / "mpirun-tagged.log").read_text().splitlines() if "_perf" not in line
    )
    assert nccl_tests.read(text).tables[0].collective is None
    assert (
        nccl_tests.read("+ mpirun -np 16 ./all_reduce_perf -b 8\n" + text).tables[0].collective
        == "all_reduce"
    )
    both = "+ ./all_reduce_perf; ./all_gather_perf\n+ ./all_gather_perf\n" + text
    assert nccl_tests.read(both).tables[0].collective is None


PUBLISHED = sorted((LOGS / "published").glob("*.log"))


@pytest.mark.parametrize("log", PUBLISHED, ids=lambda p: p.stem)
def test_published_logs_are_read_whole(log: Path) -> None:
    found = nccl_tests.read(log.read_text())
    (table,) = found.tables
    assert table.rows
    assert set(found.unread) <= {"waiting"}
    halves = [m.busbw_gbytes_per_s for row in table.rows for m in row.measurements()]
    known = [b for b in halves if b is not None]
    assert len(known) == 2 * len(table.rows)
    assert table.average_busbw_gbytes_per_s == pytest.approx(sum(known) / len(known), abs=0.01)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("coreweave-h100-12-nodes-sharp", 373.187), ("coreweave-gb200-1-rack", 745.53),
        ("coreweave-gb200-2-racks", 688.487), ("coreweave-gb200-20-racks", 297.808),
        ("gcp-a3-ultra-2-nodes-all-gather", 122.073),
    ],
)  # fmt: skip
def test_rebuilt_logs_have_the_published_averages(name: str, published: float) -> None:
    table = read(f"published/{name}.log").tables[0]
    assert table.average_busbw_gbytes_per_s == pytest.approx(published, abs=0.005)


def test_our_own_collectives_program() -> None:
    """A real log of the collectives program over eight shaped rails and four nodes."""
    log = nccl_tests.read((DATA / "collectives" / "healthy-4-nodes.log").read_text())
    assert log.unread == []
    assert [t.collective for t in log.tables] == ["all_reduce", "all_gather", "reduce_scatter", "alltoall"]
    for table in log.tables:
        assert table.simulated == "TCP rails at 1:4000"
        assert table.labelled_ranks == 4
        assert len(table.counters) == 4
        assert not table.rows[0].in_place.present
        assert table.rows[0].measurements() == [table.rows[0].out_of_place]


@pytest.mark.parametrize(
    "row",
    [
        "8 2 float sum -1 20.1 0.00 0.00 0",
        "8 2 float sum -1 x 0.00 0.00 0 20.1 0.00 0.00 0",
        "-8 2 float sum -1 20.1 0.00 0.00 0 20.1 0.00 0.00 0",
        "8 two float sum -1 20.1 0.00 0.00 0 20.1 0.00 0.00 0",
        "8 2 float sum -1 20.1 0.00 0.00 many 20.1 0.00 0.00 0",
        "99999999999999999999999 2 float sum -1 20.1 0.00 0.00 0 20.1 0.00 0.00 0",
    ],
)
def test_rows_that_are_none(row: str) -> None:
    header = "#  size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
    log = nccl_tests.read(f"{header}\n{row}")
    assert log.tables[0].rows == []
    assert log.unread == [row]


def test_a_negative_time_is_broken() -> None:
    header = "#  size count type redop root time algbw busbw #wrong time algbw busbw #wrong"
    log = nccl_tests.read(f"{header}\n8 2 float sum -1 -20.1 0.00 0.00 0 20.1 0.00 0.00 0")
    assert log.tables[0].rows[0].out_of_place.broken


def test_unread_is_bounded() -> None:
    log = nccl_tests.read("no table here\n" * 5000)
    assert len(log.unread) == nccl_tests.UNREAD_KEPT + 1
    assert log.unread[-1] == "… and 4800 more lines"


WORDS = st.sampled_from(
    ["#", "size", "count", "type", "redop", "root", "time", "algbw", "busbw", "#wrong", "error", "nThread", "N/A", "nan",
     "-inf", "1e999", "8", "float", "# Avg bus bandwidth :", "# Rank 0 Pid 1 on a device 0", "0: ", "[1,0]<stdout>:",
     "# counters: {", "}", "all_reduce_perf", "# Out of bounds values : ", "\x1b[31m", "\x00", "9" * 40]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(st.lists(WORDS, max_size=16).map(" ".join), max_size=20).map("\n".join),
    st.binary(max_size=400).map(lambda b: b.decode(errors="replace")),
)


@given(TEXTS)
def test_no_text_breaks_it(text: str) -> None:
    document = nccl_tests.plain(text)
    assert set(document) == {"tables", "unread"}
    for table in document["tables"]:
        for row in table["rows"]:
            for half in (row["out_of_place"], row["in_place"]):
                assert half is None or all(v is None or math.isfinite(v) for v in half.values())


@given(st.integers(0, 4000))
def test_a_log_cut_anywhere_gives_only_rows_of_the_whole(cut: int) -> None:
    whole = (LOGS / "two-nodes.log").read_text()
    good = {
        (r.size_bytes, b)
        for r, b in zip(read("two-nodes.log").tables[0].rows, [437.0, 465.9, 487.1], strict=True)
    }
    for table in nccl_tests.read(whole[:cut]).tables:
        assert {(r.size_bytes, r.out_of_place.busbw_gbytes_per_s) for r in table.rows} <= good
