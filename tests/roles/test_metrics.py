"""Role metrics: its program over a /sys made here, and what reaches the exporter."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.roles.conftest import Recorded

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "/etc/default/prometheus-node-exporter"
TIMER = "/etc/systemd/system/railbed-metrics.timer"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("hardware", ROOT / "roles/metrics/files/hardware.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HARDWARE = _load()


def node(root: Path, port: dict[str, str], **devices: dict[str, str]) -> Path:
    """A /sys with one RDMA port and PCI devices, each file's content as Linux writes it (docs of sysfs-class-infiniband and
    sysfs-bus-pci)."""
    for name, content in port.items():
        _write(root / "class/infiniband/mlx5_0/ports/1" / name, content)
    for number, files in enumerate(devices.values()):
        for name, content in files.items():
            _write(root / f"bus/pci/devices/0000:0{number}:00.0" / name, content)
    return root


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")


PORT = {
    "state": "4: ACTIVE", "phys_state": "5: LinkUp", "rate": "400 Gb/sec (4X NDR)", "counters/port_rcv_data": "123456789012",
    "counters/link_downed": "0", "hw_counters/out_of_sequence": "17", "hw_counters/lifespan": "10",
}  # fmt: skip
GPU = {
    "vendor": "0x10de", "class": "0x030200", "current_link_width": "8", "max_link_width": "16",
    "current_link_speed": "32.0 GT/s PCIe", "max_link_speed": "32.0 GT/s PCIe",
    "aer_dev_correctable": "RxErr 3\nBadTLP 1\nTOTAL_ERR_COR 4", "aer_dev_fatal": "Undefined 0\nTOTAL_ERR_FATAL 0",
}  # fmt: skip
UNLINKED = {
    "vendor": "0x15b3",
    "class": "0x020000",
    "current_link_width": "0",
    "current_link_speed": "Unknown",
}
CONSOLE = {"vendor": "0x1a03", "class": "0x030000", "current_link_width": "1"}


def lines(root: Path) -> list[str]:
    said: str = HARDWARE.text(HARDWARE.collect(root))
    return [line for line in said.splitlines() if not line.startswith("#")]


@pytest.fixture
def no_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.mark.usefixtures("no_smi")
def test_a_node_with_cards_and_gpus(tmp_path: Path) -> None:
    said = lines(node(tmp_path, PORT, gpu=GPU, nic=UNLINKED, console=CONSOLE))
    port = 'device="mlx5_0",port="1"'
    gpu = 'address="0000:00:00.0",kind="gpu"'
    for line in (
        f"railbed_rdma_port_state{{{port}}} 4",
        f"railbed_rdma_port_rate_gbps{{{port}}} 400",
        f'railbed_rdma_port_counter_total{{{port},counter="port_rcv_data"}} 123456789012',
        f'railbed_rdma_port_counter_total{{{port},counter="link_downed"}} 0',
        f'railbed_rdma_port_hw_counter_total{{{port},counter="out_of_sequence"}} 17',
        f"railbed_pcie_link_width{{{gpu}}} 8",
        f"railbed_pcie_link_width_max{{{gpu}}} 16",
        f"railbed_pcie_link_speed_gt_per_s{{{gpu}}} 32",
        f'railbed_pcie_errors_total{{{gpu},severity="correctable"}} 4',
        f'railbed_pcie_errors_total{{{gpu},severity="fatal"}} 0',
    ):
        assert line in said, line
    text = "\n".join(said)
    assert "lifespan" not in text and "0000:01:00.0" not in text and "0000:02:00.0" not in text
    assert 'severity="nonfatal"' not in text, "what the device does not report is no zero"


@pytest.mark.usefixtures("no_smi")
def test_a_node_without_such_hardware_says_absent_and_nothing_else(tmp_path: Path) -> None:
    said = lines(tmp_path)
    assert sorted(said) == sorted(
        f'railbed_hardware_{what}{{kind="{kind}"}} 0'
        for kind in HARDWARE.PARTS
        for what in ("present", "unread")
    )


def test_a_part_that_cannot_be_read_is_neither_absent_nor_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smi = tmp_path / "bin/nvidia-smi"
    _write(smi, "#!/bin/sh\necho 'Unable to determine the device handle'\nexit 9")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}{os.pathsep}{os.environ['PATH']}")
    said = lines(node(tmp_path / "sys", PORT))
    assert 'railbed_hardware_unread{kind="nvlink"} 1' in said
    assert not [line for line in said if line.startswith('railbed_hardware_present{kind="nvlink"')]
    assert 'railbed_hardware_present{kind="rdma"} 1' in said, "the others are read all the same"
    assert "device handle" in capsys.readouterr().err


LINE = re.compile(r'^railbed_\w+\{(\w+="([^"\\]|\\.)*")(,\w+="([^"\\]|\\.)*")*\} [0-9.]+(e[+-][0-9]+)?$')


@given(st.text(), st.floats(0, 2**63))
def test_every_line_is_of_prometheus_text_format(label: str, value: float) -> None:
    said = HARDWARE.text([HARDWARE.Sample("rdma_port_counter_total", {"counter": label}, value)])
    comment, kind, line, *rest = said.split("\n")
    assert comment.startswith("# HELP railbed_rdma_port_counter_total ") and kind.endswith(" counter")
    assert LINE.match(line) and rest == [""]


def test_the_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    for content in ("a 1\n", "b 2\n"):
        HARDWARE.write(path, content)
        assert path.read_text() == content
    assert [one.name for one in tmp_path.iterdir()] == ["x.prom"] and path.stat().st_mode & 0o777 == 0o644


def test_every_metric_has_its_meaning() -> None:
    source = (ROOT / "roles/metrics/files/hardware.py").read_text()
    used = set(re.findall(r'"((?:hardware|rdma_port|pcie|nvlink)_\w+)"', source))
    assert used - {"nvlink_traffic"} == set(HARDWARE.HELP)


SETTINGS = "/etc/systemd/system/prometheus-node-exporter.service.d/railbed.conf"


def test_the_exporter_outlives_a_boot_without_its_address(lab: Recorded, machines: Recorded) -> None:
    """It ends where the address that it listens on is not there yet: it starts after the network, and again without end."""
    for one in (lab, machines):
        text = one.text("h100-0", SETTINGS)
        assert {
            "After=network-online.target",
            "Wants=network-online.target",
            "StartLimitIntervalSec=0",
        } <= set(text.splitlines())
        assert "Restart=on-failure" in text


def test_only_a_machine_of_its_own_reads_its_hardware(lab: Recorded, machines: Recorded) -> None:
    assert "10.90.0.11:9100" in lab.text("h100-0", DEFAULT) and TIMER not in lab.files["h100-0"]
    assert "--no-collector.infiniband" in machines.text("h100-0", DEFAULT)
    assert all("--no-collector.systemd" in one.text("h100-0", DEFAULT) for one in (lab, machines))
    assert "OnUnitActiveSec=60\n" in machines.text("h100-0", TIMER)
    units = machines.asked["ctl0"]["metrics: Export metrics"]["units"]
    assert all(SETTINGS in unit["files"] for unit in units[:1])
    assert [unit["name"] for unit in units] == ["prometheus-node-exporter.service", "railbed-metrics.timer"]
