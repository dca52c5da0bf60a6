"""Programs that measure rates: perftest, libfabric's, nvbandwidth, fio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.parse import fi_rma_bw, fio, nvbandwidth, perftest

DATA = Path(__file__).parent.parent / "data" / "parse"


def rdma(name: str) -> dict[str, Any]:
    return perftest.plain((DATA / "perftest" / name).read_text())


def test_a_bandwidth_table() -> None:
    (run,) = rdma("ib_write_bw.txt")["tests"]
    assert (run["test"], run["kind"], run["device"]) == ("RDMA_Write BW Test", "bandwidth", "mlx5_0")
    assert run["settings"]["Mtu"] == "4096[B]"
    assert run["settings"]["Dual-port"] == "OFF"
    assert [row["average_gbps"] for row in run["rows"]] == [392.10, 392.12]
    assert run["rows"][0] == {
        "size_bytes": 65536, "iterations": 5000, "peak_gbps": 392.15, "average_gbps": 392.10, "rate_mpps": 0.747881,
    }  # fmt: skip
    assert rdma("ib_write_bw.txt")["unread"] == []


def test_a_slow_port_is_a_row_like_any_other() -> None:
    assert rdma("ib_write_bw-slow.txt")["tests"][0]["rows"][0]["average_gbps"] == 195.88


def test_perftests_megabytes_are_binary() -> None:
    """11,728.47 MB/sec on a port of 100 Gb/s: decimal megabytes would be 93.8 Gb/s, below what the port carried."""
    row = rdma("ib_send_bw-mb.txt")["tests"][0]["rows"][0]
    assert row["average_gbps"] == pytest.approx(98.386, abs=1e-3)
    assert row["rate_mpps"] * row["size_bytes"] * 8 / 1e3 == pytest.approx(row["average_gbps"], rel=1e-3)


def test_latencies() -> None:
    (run,) = rdma("ib_write_lat.txt")["tests"]
    assert run["kind"] == "latency"
    assert run["rows"] == [
        {
            "size_bytes": 2, "iterations": 1000, "min_us": 1.6, "max_us": 5.91, "typical_us": 1.64,
            "average_us": 1.65, "stdev_us": 0.15, "p99_us": 1.89, "p999_us": 5.91,
        }
    ]  # fmt: skip
    timed = rdma("ib_write_lat-duration.txt")["tests"][0]["rows"][0]
    assert (timed["average_us"], timed["transactions_per_s"]) == (1.66, 602409.64)


def test_a_peak_that_was_not_measured_is_null() -> None:
    for name in ("ib_write_bw-duration.txt", "out_json.json"):
        (run,) = rdma(name)["tests"]
        assert run["rows"][0]["peak_gbps"] is None
        assert run["rows"][0]["average_gbps"] in (771.42, 392.1)
    assert rdma("out_json.json")["tests"][0]["settings"]["Number_of_qps"] == "4"


def test_negative_rates_are_null() -> None:
    (row,) = rdma("negative.txt")["tests"][0]["rows"]
    assert (row["average_gbps"], row["rate_mpps"]) == (None, None)


def test_what_perftest_says_instead_of_a_table() -> None:
    assert "Couldn't connect" in rdma("refused.txt")["errors"][0]
    assert rdma("no-device.txt")["errors"][0].strip() == "IB device mlx5_9 not found"
    cut = rdma("truncated.txt")
    assert cut["tests"][0]["rows"] == []
    assert cut["unread"] == [" 65536      5000             392.15"]


def test_several_runs_in_one_file() -> None:
    both = "".join((DATA / "perftest" / f).read_text() for f in ("ib_write_bw.txt", "ib_write_lat.txt"))
    assert [t["kind"] for t in perftest.plain(both)["tests"]] == ["bandwidth", "latency"]


def fabric(name: str) -> dict[str, Any]:
    return fi_rma_bw.plain((DATA / "fi_rma_bw" / name).read_text())


def test_libfabric_sizes_are_binary_and_rates_decimal() -> None:
    rows = fabric("efa.txt")["rows"]
    assert [row["size_bytes"] for row in rows] == [64, 4096, 1 << 20]
    assert rows[2]["gbps"] == pytest.approx(96.92, abs=0.01)
    assert rows[2]["size_bytes"] * rows[2]["iterations"] == rows[2]["total_bytes"]
    assert fabric("machine.txt")["rows"][0]["gbps"] == pytest.approx(96.92, abs=0.01)
    assert fabric("slow.txt")["rows"][2]["gbps"] == pytest.approx(0.77, abs=0.01)


def test_libfabrics_other_tables() -> None:
    rows = fabric("pingpong.txt")["rows"]
    assert [(row["iterations"], row["us_per_transfer"]) for row in rows] == [(10, 1362.35), (10, 444.5)]
    assert fabric("pingpong.txt")["unread"] == []
    assert "No data available" in fabric("no-provider.txt")["errors"][0]
    assert len(fabric("truncated.txt")["rows"]) == 2
    assert fabric("truncated.txt")["unread"] == ["1m      200     200m        0.02s"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("64", 64), ("64k", 65536), ("1.5m", 1572864), ("=10", 10), ("k", None), ("1.2.3m", None)],
)
def test_sizes(text: str, size: int | None) -> None:
    assert fi_rma_bw.size(text) == size


def copies(name: str) -> dict[str, Any]:
    return nvbandwidth.plain((DATA / "nvbandwidth" / name).read_text())


@pytest.mark.parametrize("name", ["two-gpus.txt", "two-gpus.json"])
def test_nvbandwidth_printed_and_as_json(name: str) -> None:
    found = copies(name)
    assert (found["version"], found["driver"], found["cuda"]) == ("v0.8", "570.124.06", "12080")
    assert len(found["devices"]) == 2
    peer = next(t for t in found["tests"] if t["name"] == "device_to_device_memcpy_read_ce")
    assert (peer["matrix"], peer["unit"], peer["status"]) == (
        [[None, 376.1], [376.22, None]],
        "GB/s",
        "Passed",
    )
    assert peer["sum"] == 752.32
    waived = next(t for t in found["tests"] if t["name"].startswith("multinode"))
    assert (waived["status"], waived["matrix"]) == ("Waived", [])
    assert found["unread"] == found["errors"] == []


def test_latencies_of_nvbandwidth_have_their_unit() -> None:
    latency = next(t for t in copies("two-gpus.txt")["tests"] if "latency" in t["name"])
    assert (latency["unit"], latency["matrix"][0][1]) == ("ns", 812.41)


def test_nvbandwidth_damaged() -> None:
    assert copies("slow-pcie.txt")["tests"][0]["matrix"] == [[55.64, 13.1]]
    error = copies("error.txt")
    assert (error["tests"][0]["status"], error["tests"][0]["matrix"]) == ("Error", [])
    assert "CUDA_ERROR_NOT_INITIALIZED" in error["errors"][0]
    cut = copies("truncated.txt")
    assert cut["tests"][1]["matrix"] == [[None, 376.1]]
    assert cut["tests"][1]["status"] is None


def disk(name: str) -> dict[str, Any]:
    return fio.plain((DATA / "fio" / name).read_text())


def test_fio_jobs() -> None:
    write, read = disk("two-jobs.json")["jobs"]
    assert (write["name"], write["read"], write["error"]) == ("write", None, 0)
    assert write["write"]["bytes"] == 4 * 1024 * 1024
    assert read["read"]["mbytes_per_s"] == pytest.approx(74.898, abs=1e-3)
    assert read["read"]["latency_p99_us"] == pytest.approx(150.528)
    (both,) = disk("group.json")["jobs"]
    assert both["read"]["bytes"] + both["write"]["bytes"] == 4 * 1024 * 1024


def test_old_fio_counts_in_kib_and_us() -> None:
    (job,) = disk("version-2.json")["jobs"]
    assert job["write"]["mbytes_per_s"] == pytest.approx(104.8576)
    assert (job["write"]["latency_mean_us"], job["write"]["latency_p99_us"]) == (812.5, 1400.0)


def test_fio_that_failed() -> None:
    failed = disk("full-disk.json")
    assert failed["jobs"][0]["error"] == 28
    assert "No space left" in failed["said"][0]
    assert disk("no-directory.json")["jobs"] == []
    assert "No such file" in disk("no-directory.json")["said"][0]
    cut = disk("truncated.json")
    assert (cut["jobs"], cut["truncated"]) == ([], True)
