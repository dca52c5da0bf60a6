"""`railbed bandwidth …` and `railbed parse …`: documents, exit codes, errors without tracebacks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from railbed.cli import main
from railbed.cli.asked import State
from railbed.validate import certificate

DATA = Path(__file__).parent.parent / "data"
TWO_NODES = DATA / "parse" / "nccl_tests" / "two-nodes.log"
HEALTHY = DATA / "collectives" / "healthy-4-nodes.log"
SLOW = DATA / "collectives" / "rail-50-percent-slow.log"
Run = tuple[int, str, str]


@pytest.fixture(name="railbed")
def _railbed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line; returns exit status, stdout and stderr."""

    def run(*argv: object) -> Run:
        monkeypatch.setattr("sys.argv", ["railbed", *map(str, argv)])
        with pytest.raises(SystemExit) as left:
            main.main()
        State.as_json = False
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
    assert document["floor_gbytes_per_s"] == pytest.approx(0.09)
    assert "0.09 GB/s" in railbed(*argv)[1]


def test_expect_draws_a_plot(railbed: Any, tmp_path: Path) -> None:
    svg = tmp_path / "p5.svg"
    log = DATA / "parse" / "nccl_tests" / "published" / "aws-p5-2-nodes.log"
    argv = (
        "bandwidth", "expect", "--machine", "aws/p5.48xlarge", "--nodes", 2, "--collective", "all_reduce",
        "--size", 16 << 30, "--plot", svg, "--measured", log, "--json",
    )  # fmt: skip
    status, out, err = railbed(*argv)
    assert (status, err) == (0, "")
    assert json.loads(out)["floor_gbytes_per_s"] == pytest.approx(487.1 * 0.948)
    assert "aws-p5-2-nodes.log" in svg.read_text()


def test_a_plot_needs_a_place(railbed: Any, tmp_path: Path) -> None:
    case = ("bandwidth", "expect", "-m", "lab/rail8", "-n", 2, "-c", "all_reduce", "-s", 64 << 20, "--json")
    status, out, _ = railbed(*case, "--measured", TWO_NODES)
    assert (status, json.loads(out)["error"]["path"]) == (2, "--measured")
    status, out, _ = railbed(*case, "--plot", tmp_path / "no" / "where.svg")
    assert (status, json.loads(out)["error"]["code"]) == (2, "USAGE")


def test_judge_against_a_certificate(railbed: Any, tmp_path: Path) -> None:
    """A certificate is believed only with its signature."""
    cert = signed(tmp_path, {"collective.all_reduce@4": 0.0985, "collective.all_gather@4": 0.0988})
    argv = ("bandwidth", "judge", HEALTHY, "-m", "lab/rail8", "-n", 4, "--json", "--baseline")
    status, out, _ = railbed(*argv, cert, "-c", "all_reduce")
    document = json.loads(out)
    assert (status, document["verdict"]) == (0, "pass"), document
    assert "certificate's 0.0985" in document["claims"][0]["reason"]
    better = signed(tmp_path, {"collective.all_reduce@4": 0.1015})
    status, out, _ = railbed(*argv, better, "-c", "all_reduce")
    assert (status, json.loads(out)["verdict"]) == (1, "fail")
    forged = tmp_path / "forged.json"
    forged.write_text(cert.read_text().replace("0.0985", "0.0500"))
    status, out, _ = railbed(*argv, forged)
    assert (status, json.loads(out)["error"]["code"]) == (2, "CERTIFICATE_INVALID")
    status, out, _ = railbed(
        "bandwidth", "judge", TWO_NODES, "-m", "metal/hgx-h100", "-n", 2, "--json", "--baseline", cert
    )
    assert (status, json.loads(out)["error"]["path"]) == (2, "--baseline")


def signed(folder: Path, measured: dict[str, float]) -> Path:
    """A certificate of lab nodes, signed as `railbed validate` signs its own."""
    key = folder / "key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    claim = {
        "node": "",
        "verdict": "pass",
        "unit": "GB/s",
        "expected": None,
        "floor": None,
        "simulated": True,
    }
    node = {
        "name": "h100-0", "role": "compute", "machine": "lab/rail8", "identity_kind": "machine_id", "identity": "0" * 32,
        "measured": {"machine_id": "0" * 32},
    }  # fmt: skip
    body: dict[str, Any] = {
        "schema": certificate.SCHEMA, "stack": "lab", "cluster": "lab", "verdict": "pass", "nodes": [node],
        "claims": [{**claim, "claim": c, "measured": m} for c, m in measured.items()],
        "contract_hash": "0" * 64, "spec_hash": "0" * 64, "report_sha256": "0" * 64, "manifest_sha256": "0" * 64,
        "accepted_unproven": {}, "out_of_scope": [], "simulated": True, "report": "20261124T080140.000Z",
        "started": "2026-11-24T08:00:00+00:00", "issued_at": "2026-11-24T08:01:40+00:00",
        "expires": "2027-02-22T08:01:40+00:00", "public_key": key.with_suffix(".pub").read_text().strip(),
    }  # fmt: skip
    message = folder / "message"
    message.write_bytes(certificate.canonical(body))
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", certificate.NAMESPACE, str(message)], check=True,
        capture_output=True,
    )  # fmt: skip
    file = folder / f"certificate-{len(measured)}.json"
    file.write_text(json.dumps({**body, "signature": message.with_suffix(".sig").read_text()}))
    message.with_suffix(".sig").unlink()
    return file


def test_judge_names_causes(railbed: Any) -> None:
    log = DATA / "parse" / "nccl_tests" / "nvls-off-1-node.log"
    status, out, _ = railbed("bandwidth", "judge", log, "-m", "metal/hgx-h100", "-n", 1, "--json")
    (cause,) = json.loads(out)["causes"]
    assert status == 1
    assert (cause["cause"], cause["ambiguous"]) == ("NVLS off", False)
    status, out, _ = railbed("bandwidth", "judge", SLOW, "-m", "lab/rail8", "-n", 4)
    assert "does not tell the causes apart" in out
    assert "to tell it from" in out


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
        (
            "bandwidth",
            "judge",
            TWO_NODES,
            "--machine",
            "lab/rail8",
            "--nodes",
            2,
            "--baseline",
            "/nonexistent",
        ),
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
    tools = {t["tool"]: t for t in json.loads(out)["tools"]}
    assert {"iperf3", "nccl-tests", "nvidia-smi", "perftest", "fio", "ibdev2netdev", "rdma"} <= set(tools)
    assert "ib_write_bw" in tools["perftest"]["also"]
    assert "nccl-tests" in railbed("parse", "--list")[1]


def test_a_tool_may_be_named_by_its_program(railbed: Any) -> None:
    file = DATA / "parse" / "perftest" / "ib_write_bw.txt"
    assert railbed("parse", "ib_write_bw", file, "--json") == railbed("parse", "perftest", file, "--json")
    status, out, _ = railbed(
        "parse", "ibdev2netdev", DATA / "parse" / "ibdev2netdev" / "mixed-imbue.txt", "--json"
    )
    assert (status, json.loads(out)["rails"][:2]) == (0, ["mlx5_0", "mlx5_3"])


def test_parse_prints_the_document(railbed: Any) -> None:
    status, out, _ = railbed("parse", "iperf3", DATA / "parse" / "iperf3" / "bidir.json")
    assert status == 0
    assert json.loads(out)["forward"]["received_gbps"] == pytest.approx(0.099, abs=1e-3)
