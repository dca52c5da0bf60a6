"""Faults of simulated GPUs: what the mock then says, in any order and any number, and the driver's own log lines."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.claims import Verdict
from railbed.effects.lab import hardware
from railbed.judge import nvlink_errors as law
from railbed.parse import nvlink_errors
from railbed.platforms.lab import gpu_faults
from railbed.platforms.lab.fault import Injected
from railbed.platforms.lab.faults import FAULTS
from railbed.validate.node import xids

from .conftest import MODEL, Mock

GPUS, LINKS = 8, 18
DELIVERED = hardware.description(GPUS, MODEL, 81559, "machine-0")
XID = re.compile(r"NVRM: Xid \(PCI:(0000:[0-9a-f]{2}:[0-9a-f]{2})\): (\d+), (.+)")
ANY = st.lists(
    st.tuples(st.sampled_from(sorted(gpu_faults.GPU_FAULTS)), st.integers(0, GPUS - 1)), max_size=6
)


def identities(text: str) -> set[str]:
    return {entries["uuid"] for name, entries in hardware.sections(text).items() if name.startswith("gpu")}


def test_without_faults_the_state_is_the_hardware() -> None:
    assert gpu_faults.state(DELIVERED, []) == DELIVERED


@given(ANY, st.randoms())
def test_faults_may_come_and_go_in_any_order(faults: list[tuple[str, int]], random: Any) -> None:
    shuffled = list(faults)
    random.shuffle(shuffled)
    one, other = gpu_faults.state(DELIVERED, faults), gpu_faults.state(DELIVERED, shuffled)
    assert identities(one) == identities(other)
    missing = {index for name, index in faults if name == gpu_faults.MISSING}
    assert len(identities(one)) == GPUS - len(missing) == int(hardware.sections(one)["system"]["gpus"])


def test_the_gpus_behind_a_missing_one_keep_what_is_theirs() -> None:
    found = hardware.sections(gpu_faults.state(DELIVERED, [("gpu-missing", 5), ("gpu-ecc", 6)]))
    there = [found[f"gpu{index}"]["minor"] for index in range(7)]
    assert there == ["0", "1", "2", "3", "4", "6", "7"]
    assert found["gpu5"]["ecc_unc_vol_dram"] == "1", "the fault stays with its GPU, which moved up"
    assert "gpu7" not in found


def test_a_host_described_before_gpus_had_identities() -> None:
    old = f"[system]\ngpus = 8\n[default]\nname = {MODEL}\nmem_total_mib = 81559\n"
    found = hardware.sections(gpu_faults.state(old, [("gpu-missing", 0)]))
    assert found["gpu0"]["pci"] == "00000000:20:00.0"
    assert gpu_faults.log_lines(old, "xid-79", 1)[0].startswith("NVRM: Xid (PCI:0000:20:00): 79, ")


@pytest.mark.parametrize("name", sorted(gpu_faults.GPU_FAULTS))
def test_every_fault_shows_or_is_logged(name: str) -> None:
    fault = gpu_faults.GPU_FAULTS[name]
    assert fault.entries or fault.xids or name == gpu_faults.MISSING
    for line, number in zip(gpu_faults.log_lines(DELIVERED, name, 3), fault.xids, strict=True):
        match = XID.fullmatch(line)
        assert match and match[1] == "0000:40:00" and int(match[2]) == number
        assert "{" not in match[3].replace("{link}", ""), "every blank is filled"
    known = FAULTS[name]
    assert known.arguments == ["NODE", "GPU"] and known.claims == list(fault.claims)
    assert all(source for source in (gpu_faults.XIDS[number].source for number in fault.xids))


def test_a_line_is_marked_as_simulated_and_is_a_kernels_by_name() -> None:
    entry = dict(
        line.split("=", 1) for line in gpu_faults.journal_entry("NVRM: Xid (…): 79, a=b").splitlines()
    )
    assert entry["RAILBED_SIMULATED"] == "1"
    assert entry["SYSLOG_IDENTIFIER"] == "kernel"
    assert entry["MESSAGE"] == "NVRM: Xid (…): 79, a=b"


def test_logger_takes_the_entry() -> None:
    """`--no-act` reads it whole and writes nowhere."""
    if not shutil.which("logger"):
        pytest.skip("no logger")
    text = gpu_faults.journal_entry(gpu_faults.log_lines(DELIVERED, "xid-79", 0)[0])
    done = subprocess.run(
        ["logger", "--no-act", "--journald"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


SEEN = {
    "gpu-missing": ("-L", lambda out: out.count("UUID") == 7),
    "gpu-lost": ("-L", lambda out: "GPU is lost" in out),
    "gpu-ecc": ("-q", lambda out: re.search(r"DRAM Uncorrectable +: 1\n", out)),
    "gpu-remap-failed": ("-q", lambda out: re.search(r"Remapping Failure Occurred +: Yes", out)),
    "gpu-throttle": ("-q", lambda out: re.search(r"HW Thermal Slowdown +: Active", out)),
    "pcie-narrow": ("-q", lambda out: re.search(r"Current +: 8x", out)),
    "nvlink-down": ("nvlink -s", lambda out: out.count("<inactive>") == 1),
}


@pytest.mark.parametrize("name", sorted(SEEN))
def test_nvidia_smi_shows_it(mock: Mock, name: str) -> None:
    words, shown = SEEN[name]
    mock.state.write_text(gpu_faults.state(DELIVERED, []))
    assert not shown(mock.nvidia_smi(*words.split()).stdout)
    mock.state.write_text(gpu_faults.state(DELIVERED, [(name, 5)]))
    assert shown(mock.nvidia_smi(*words.split()).stdout)


RISING = {"nvlink-crc": "crc", "nvlink-replay": "replay", "nvlink-recovery": "recovery"}


@pytest.mark.parametrize("name", RISING)
def test_a_link_that_counts_errors_fails_by_what_nvidia_smi_prints(mock: Mock, name: str) -> None:
    def read() -> nvlink_errors.Counts:
        return nvlink_errors.read(mock.nvidia_smi("nvlink", "--errorcounters").stdout)

    mock.state.write_text(gpu_faults.state(DELIVERED, []))
    healthy = read()
    assert not any(healthy.values())
    assert law.judge(GPUS, LINKS, healthy, read(), 1.0).verdict is Verdict.PASS
    mock.state.write_text(gpu_faults.state(DELIVERED, [(name, 5)]))
    before, since = read(), time.monotonic()
    time.sleep(2.1)
    after = read()
    found = law.judge(GPUS, LINKS, before, after, time.monotonic() - since)
    assert found.verdict is Verdict.FAIL and found.parts == ["gpu 5"], found
    assert {key for key in after if after[key] != before[key]} == {(5, gpu_faults.LINK, RISING[name])}


def test_the_codes_that_break_the_claim_are_those_of_the_hardware() -> None:
    for name, fault in gpu_faults.GPU_FAULTS.items():
        told = ("node.xid" in fault.claims, any(number in xids.HARDWARE for number in fault.xids))
        assert told[0] is told[1], name


def test_a_gpu_that_hangs_is_blamed_by_the_place_that_the_driver_logs() -> None:
    (line,) = gpu_faults.log_lines(DELIVERED, "gpu-hang", 3)
    logged = XID.match(line)
    assert logged is not None
    hung = Injected("gpu-hang", "h100-0", 3, 5.0, "node")
    assert FAULTS["gpu-hang"].culprits(hung) == [f"gpu at {logged[1]}"]
