"""The small fine-tuning job as a program: its file, its read, its devices; and, where PyTorch is, its training."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from railbed.validate.finetuning_replies import joined
from railbed.validate.node import lora_job

PROGRAM = Path(lora_job.__file__)
TORCH = importlib.util.find_spec("torch") is not None


@pytest.mark.parametrize("size", [1, 4095, 4097, 3 * lora_job.BLOCK + 5], ids=str)
def test_it_reads_every_byte_that_it_wrote(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model"
    lora_job.make(str(path), size)
    assert path.stat().st_size == size
    found = lora_job.read(str(path))
    assert found["read_bytes"] == size and found["read_begin"] < found["read_end"]


def test_no_two_blocks_are_alike(tmp_path: Path) -> None:
    path = tmp_path / "model"
    lora_job.make(str(path), 2 * lora_job.BLOCK)
    whole = path.read_bytes()
    assert whole[: lora_job.BLOCK] != whole[lora_job.BLOCK :]


def test_a_filesystem_without_direct_reads_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "model", os.open

    def refusing(name: str, flags: int, *more: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(name, flags, *more)

    lora_job.make(str(path), 5000)
    monkeypatch.setattr(os, "open", refusing)
    found = lora_job.read(str(path))
    assert found["read_bytes"] == 5000 and found["direct"] is False


def test_it_waits_for_all_and_not_for_ever(tmp_path: Path) -> None:
    assert lora_job.gather(str(tmp_path), "0-0", 1, 5.0)
    began = time.monotonic()
    assert not lora_job.gather(str(tmp_path), "1-0", 3, 0.2)
    assert time.monotonic() - began < 4


def test_it_counts_the_device_files_that_open(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    (tmp_path / "nvidia2").mkdir()  # One that does not open for writing.
    assert lora_job.devices(f"{tmp_path}/nvidia*") == [0, 11]


@pytest.mark.skipif(not TORCH, reason="PyTorch is not installed here")
def test_it_learns_and_says_so(tmp_path: Path) -> None:
    folder = str(tmp_path)
    subprocess.run([sys.executable, str(PROGRAM), "make", f"{folder}/model", "100000"], check=True)
    argv = [
        "run",
        "--device",
        "cpu",
        "--folder",
        folder,
        "--job",
        "0",
        "--readers",
        "1",
        "--ready-s",
        "9",
        "--steps",
        "6",
    ]
    environment = {**os.environ, "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURMD_NODENAME": "h100-0"}
    since = time.time()
    subprocess.run([sys.executable, str(PROGRAM), *argv], check=True, env=environment)
    text = (tmp_path / "result-0-0.json").read_text()
    jobs = joined(text, [["h100-0"]], 1, {0: since}, {}, None)
    assert not jobs.missing, text
    first, last = json.loads(text)["losses"]
    assert last < first
