"""`railbed bandwidth …` and `railbed parse …`: documents, exit codes, errors without tracebacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed.cli import main, output

DATA = Path(__file__).parent.parent / "data"
TWO_NODES = DATA / "parse" / "nccl_tests" / "two-nodes.log"
HEALTHY = DATA / "collectives" / "healthy-4-nodes.log"
SLOW = DATA / "collectives" / "rail-5-percent-slow.log"
Run = tuple[int, str, str]


@pytest.fixture(name="railbed")
def _railbed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line; returns exit status, stdout and stderr."""

    def run(*argv: object) -> Run:
        monkeypatch.setattr("sys.argv", ["railbed", *map(str, argv)])
        with pytest.raises(SystemExit) as left:
            main.main()
        output.State.as_json = False
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return run


def test_expect(railbed: Any) -> None:
    argv = (
        "bandwidth",
        "expect",
        "--machine",
        "lab/rail8",
        "--nodes",
        4,
        "--collective",
        "all_reduce",
        "--size",
        64 << 20,
    )
    status, out, err = railbed(*argv, "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert set(document) == {
        "bound_gbytes_per_s", "expected_gbytes_per_s", "floor_gbytes_per_s", "basis", "derivation",
    }  # fmt: skip
    assert document["floor_gbytes_per_s"] == pytest.approx(0.095)
    assert "0.095 GB/s" in railbed(*argv)[1]


def test_parse_of_bandwidth(railbed: Any) -> None:
    status, out, _ = railbed("bandwidth", "parse", TWO_NODES, "--json")
    document = json.loads(out)
    assert status == 0
    assert (document["labelled_ranks"], document["inferred_ranks"], document["inferred_ranks_range"]) == (
        16,
        16,
        [16, 16],
    )
    assert "ranks labelled 16" in railbed("bandwidth", "parse", TWO_NODES)[1]


@pytest.mark.parametrize(
    ("file", "machine", "nodes", "status", "verdict"),
    [
        (HEALTHY, "lab/rail8", 4, 0, "pass"),
        (SLOW, "lab/rail8", 4, 1, "fail"),
        (TWO_NODES, "metal/hgx-h100", 2, 3, "unproven"),
        (TWO_NODES, "metal/hgx-h100", 4, 3, "unproven"),
    ],
)
def test_judge(railbed: Any, file: Path, machine: str, nodes: int, status: int, verdict: str) -> None:
    argv = ("bandwidth", "judge", file, "--machine", machine, "--nodes", nodes)
    told, out, _ = railbed(*argv, "--json")
    assert (told, json.loads(out)["verdict"]) == (status, verdict)
    told, out, _ = railbed(*argv)
    assert told == status
    assert out.startswith(verdict)


@pytest.mark.parametrize(
    "argv",
    [
        (
            "bandwidth",
            "expect",
            "--machine",
            "lab/rail9",
            "--nodes",
            2,
            "--collective",
            "all_reduce",
            "--size",
            8,
        ),
        (
            "bandwidth",
            "expect",
            "--machine",
            "lab/rail8",
            "--nodes",
            10**9,
            "--collective",
            "all_reduce",
            "--size",
            8,
        ),
        (
            "bandwidth",
            "expect",
            "--machine",
            "lab/rail8",
            "--nodes",
            "two",
            "--collective",
            "all_reduce",
            "--size",
            8,
        ),
        ("bandwidth", "judge", "/nonexistent", "--machine", "lab/rail8", "--nodes", 2),
        ("bandwidth", "parse", "/"),
        ("parse", "nvidia-smi"),
        ("parse", "telepathy", TWO_NODES),
        ("bandwidth", "judge", TWO_NODES, "--machine", "lab/rail8", "--nodes", 2, "--baseline", "x"),
    ],
)
def test_wrong_input_is_one_error_and_exit_2(railbed: Any, argv: tuple[object, ...]) -> None:
    status, out, _ = railbed(*argv, "--json")
    assert status == 2
    error = json.loads(out)["error"]
    assert set(error) == {"code", "message", "path", "found", "allowed", "hint"}
    assert error["message"]
    status, out, err = railbed(*argv)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_logs_of_other_tools_prove_nothing(railbed: Any, tmp_path: Path) -> None:
    for name, content in {
        "empty": b"",
        "binary": bytes(range(256)) * 64,
        "other": b"PING 10.90.0.11\n",
    }.items():
        file = tmp_path / name
        file.write_bytes(content)
        assert railbed("bandwidth", "parse", file, "--json")[0] == 3
        status, out, _ = railbed("bandwidth", "judge", file, "--machine", "lab/rail8", "--nodes", 2, "--json")
        assert (status, json.loads(out)["verdict"], json.loads(out)["problems"]) == (
            3,
            "unproven",
            ["NO_ROWS"],
        )
        for tool in ("nccl-tests", "iperf3", "nvidia-smi"):
            assert railbed("parse", tool, file, "--json")[0] == 3


def test_a_file_that_is_too_big_is_refused(railbed: Any, tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as sink:
        sink.truncate(1 << 30)
    status, out, _ = railbed("bandwidth", "parse", big, "--json")
    assert status == 2
    assert "too big" in json.loads(out)["error"]["message"]


def test_parse_lists_its_tools(railbed: Any) -> None:
    status, out, _ = railbed("parse", "--list", "--json")
    assert status == 0
    assert {"iperf3", "nccl-tests", "nvidia-smi"} <= {t["tool"] for t in json.loads(out)["tools"]}
    assert "nccl-tests" in railbed("parse", "--list")[1]


def test_parse_prints_the_document(railbed: Any) -> None:
    status, out, _ = railbed("parse", "iperf3", DATA / "parse" / "iperf3" / "bidir.json")
    assert status == 0
    assert json.loads(out)["forward"]["received_gbps"] == pytest.approx(0.099, abs=1e-3)
