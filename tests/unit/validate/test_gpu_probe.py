"""The program that runs on nodes: for real on processors where PyTorch is, and its parts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from railbed.effects import node_json
from railbed.effects.lab import training
from railbed.validate import gpu_answers, gpus
from railbed.validate.node import gpu_lines, gpu_probe

TOOLS = Path(__file__).resolve().parents[3] / "tools"
PYTHON = Path("/usr/bin/python3")
ASKED = "bf16,fp8,fp64,hbm,copies,digest,p2p"


def started(*arguments: str, stack: str = "") -> subprocess.CompletedProcess[str]:
    """The program as a step starts it: from its standard input."""
    return subprocess.run(
        [PYTHON, "-", "--device", "cpu", *arguments], input=gpus.PROBE, capture_output=True, text=True,
        timeout=120, check=False, env={"PYTHONPATH": stack, "PATH": "/usr/bin:/bin", "SLURMD_NODENAME": "h100-3"},
    )  # fmt: skip


def answered(printed: str, count: int) -> gpu_answers.GpuReply | str:
    """What a node's lines come to; each is short enough."""
    assert max(len(line.encode()) for line in printed.splitlines()) < 1000
    return gpu_answers.joined("h100-3", node_json.lines(printed, gpu_answers.LINE), count, "program")


@pytest.fixture
def stack() -> Path:
    """The folder with the lab's PyTorch, where it is."""
    stack = training.training_path(TOOLS)
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True).stdout
    if not stack.is_dir():
        pytest.skip(f"{stack} is not there: `make up` installs PyTorch")
    if training.HOST_PYTHON not in version:
        pytest.skip(f"{PYTHON} is {version.strip()}, PyTorch was installed for {training.HOST_PYTHON}")
    return stack


def test_the_real_program_computes_on_processors(stack: Path) -> None:
    done = started("--gpus", "2", "--measure", ASKED, stack=str(stack))
    assert done.returncode == 0, done.stderr
    part = answered(done.stdout, 2)
    assert isinstance(part, gpu_answers.GpuReply)
    assert (part.node, [gpu.index for gpu in part.gpus]) == ("h100-3", [0, 1])
    assert part.torch.startswith(training.TORCH)
    for gpu in part.gpus:
        assert gpu.errors == {} and min(gpu.rates.values()) > 0
        assert set(gpu.rates) == {"bf16", "fp8", "fp64", "hbm", "h2d", "d2h"}
        assert len(gpu.digests) == gpu_probe.REPEATS
    (none, there), (back, also_none) = (gpu.peers for gpu in part.gpus)
    assert none is also_none is None and min(there or 0, back or 0) > 0
    assert [gpu.changed for gpu in part.gpus] == [[], []]
    assert len({digest for gpu in part.gpus for digest in gpu.digests}) == 1


def test_without_pytorch_it_says_so() -> None:
    done = started("--gpus", "8", "--measure", ASKED, stack="/nowhere")
    assert str(answered(done.stdout, 8)).startswith("the probe of GPUs on h100-3: PyTorch cannot be loaded")


def test_a_measurement_that_stops_says_nothing_of_the_others() -> None:
    class Broken(gpu_probe.Gpu):
        def __init__(self) -> None:
            self.index = 3

        def model(self) -> str:
            return "broken"

        def gemm(self, kind: str) -> float:
            if kind == "fp8":
                raise AttributeError("module 'torch.nn.functional' has no attribute 'scaled_mm'")
            return 1.0

        def memory(self) -> float:
            raise RuntimeError("CUDA error:\nuncorrectable ECC error encountered")

        def digest(self) -> str:
            return "r"

    answer = gpu_probe.Answer(Broken())
    answer.loaded(["bf16", "fp8", "fp64", "hbm", "digest"], lambda: None)
    said = answer.plain()
    assert said["rates"] == {"bf16": 1.0, "fp64": 1.0} and said["digests"] == ["r"] * gpu_probe.REPEATS
    assert said["errors"] == {
        "fp8": "module 'torch.nn.functional' has no attribute 'scaled_mm'",
        "hbm": "CUDA error: uncorrectable ECC error encountered",
    }
    assert said["index"] == 3


class Joined(gpu_probe.Gpu):
    """A GPU of four, of which GPU 2 gets other bytes from GPU 1, and GPU 3 can send to nobody."""

    def __init__(self, index: int) -> None:
        self.index, self.kind, self.size = index, "cuda", gpu_probe.SIZES["cuda"]

    def model(self) -> str:
        return "joined"

    def sent(self, other: gpu_probe.Gpu) -> tuple[float, bool]:
        if self.index == 3:
            raise RuntimeError("CUDA error: peer access is not supported between these two devices")
        return 380.123456, (self.index, other.index) != (1, 2)


def test_copies_between_gpus_are_a_line_of_each_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_probe, "Gpu", lambda _torch, _kind, index: Joined(index))
    found = gpu_probe.measured(None, "cuda", 4, ["p2p"])
    said = {"node": "h100-3", "error": "", "torch": "", "cuda": "", "gpus": found, "trace": {}}
    part = answered("\n".join(gpu_lines.lines(said)), 4)
    assert isinstance(part, gpu_answers.GpuReply)
    assert [gpu.peers for gpu in part.gpus][:2] == [[None, 380.1, 380.1, 380.1], [380.1, None, 380.1, 380.1]]
    assert [gpu.changed for gpu in part.gpus] == [[], [2], [], []]
    assert part.gpus[3].peers == [] and "peer access is not supported" in part.gpus[3].errors["p2p"]


def test_so_many_gpus_that_no_line_holds_them_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_probe, "Gpu", lambda _torch, _kind, index: Joined(index))
    found = gpu_probe.measured(None, "cuda", gpu_probe.PEERS_MOST + 1, ["p2p"])
    assert {one["errors"]["p2p"] for one in found} == {"copies between more than 32 GPUs are not measured"}


def test_the_longest_line_of_peers_is_short_enough() -> None:
    most = gpu_probe.PEERS_MOST
    one = {"index": 31, "model": "x", "rates": {}, "digests": [], "errors": {}}
    pairs = {"peers": [-1.234e-100] * most, "changed": [255] * most}
    said = {"node": "n" * 64, "error": "", "torch": "", "cuda": "", "gpus": [{**one, **pairs}], "trace": {}}
    assert max(len(line.encode()) for line in gpu_lines.lines(said)) < 1000


LONG = 'é\x00"\\' * 400


@pytest.mark.parametrize("failed", [(), ("hbm",), ("bf16", "fp8", "fp64", "hbm", "copies", "digest")])
def test_lines_are_short_with_the_longest_errors(failed: tuple[str, ...]) -> None:
    rates = ("bf16", "fp8", "fp64", "hbm", "h2d", "d2h")
    one = {
        "model": LONG, "rates": dict.fromkeys(rates, 1 / 3 * 1e-9), "digests": ["f" * 64] * gpu_probe.REPEATS,
        "errors": dict.fromkeys(failed, LONG),
    }  # fmt: skip
    trace = {
        "lowest_mhz": 1 / 3,
        "highest_mhz": 1e9 / 3,
        "power_w": 1e9 / 3,
        "celsius": 1e9 / 3,
        "reasons": 2**63 - 1,
    }
    said = {
        "node": "n" * 64, "error": LONG, "torch": LONG, "cuda": LONG, "gpus": [{"index": at, **one} for at in range(256)],
        "trace": dict.fromkeys(range(256), trace),
    }  # fmt: skip
    lines = gpu_lines.lines(said)
    assert len(lines) == 513 and max(len(line.encode()) for line in lines) < 1000
    read = node_json.lines("\n".join(lines), gpu_answers.LINE)
    assert len(read) == 513 and {line.node for line in read} == {"n" * 64}
    error = json.loads(lines[1])["errors"].get("hbm", "")
    assert len(error) == {0: 0, 1: 120, 6: 20}[len(failed)]


def test_a_short_error_stays_whole() -> None:
    line = gpu_lines.line({"error": "CUDA error: uncorrectable ECC error encountered"})
    assert line == '{"error": "CUDA error: uncorrectable ECC error encountered"}'


class Locked:
    """In place of a tensor and of torch's allocator of locked memory, which gives the next one the block of one that is gone."""

    free: ClassVar[list[int]] = []
    made: ClassVar[list[int]] = []

    def __init__(self, pinned: bool) -> None:
        self.block = (self.free.pop() if self.free else len(set(self.made))) if pinned else None
        if self.block is not None:
            self.made.append(self.block)

    def __del__(self) -> None:
        if self.block is not None:
            self.free.append(self.block)

    def copy_(self, other: Locked, non_blocking: bool) -> None:
        assert non_blocking and isinstance(other, Locked)


def test_each_gpu_gets_locked_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Locked, "free", [])
    monkeypatch.setattr(Locked, "made", [])
    torch = SimpleNamespace(
        uint8="uint8",
        device=lambda kind, index: f"{kind}:{index}",
        ones=lambda _, dtype, pin_memory: Locked(pin_memory),
        empty=lambda _, dtype, device: Locked(False),
        cuda=SimpleNamespace(
            synchronize=lambda _: None,
            get_device_name=lambda _: "fake",
            get_device_properties=lambda _: SimpleNamespace(),
        ),
    )
    sizes = {"cuda": gpu_probe.Size(1, 1, 1, 0.0)}
    monkeypatch.setattr(gpu_probe, "SIZES", sizes)
    found = gpu_probe.measured(torch, "cuda", 4, ["copies"])
    assert [one["errors"] for one in found] == [{}] * 4 and all(one["rates"] for one in found)
    assert Locked.made == [0, 1, 2, 3]


PRINTED = """
import hashlib, sys, types, torch
probe = types.ModuleType("probe")
exec(compile(sys.stdin.read(), "probe", "exec"), vars(sys.modules.setdefault("probe", probe)))
made = probe.Gpu(torch, "cpu", 0).exact(2, 64)
assert torch.equal(made.to(torch.bfloat16).to(torch.float32), made) and 1.0 < made.std() < 1.4
print(hashlib.sha256(made.numpy()).hexdigest(), torch.backends.cpu.get_cpu_capability())
"""


def test_processors_with_other_instructions_make_the_same_numbers(stack: Path) -> None:
    said = []
    for capability in ("default", "avx2"):
        done = subprocess.run(
            [PYTHON, "-c", PRINTED], input=gpus.PROBE, capture_output=True, text=True, timeout=120, check=True,
            env={"PYTHONPATH": str(stack), "ATEN_CPU_CAPABILITY": capability},
        )  # fmt: skip
        said.append(done.stdout.split())
    (plain, none), (wide, _) = said
    assert plain == wide and none == "DEFAULT"


def test_the_trace_has_extremes_and_leaves_out_what_is_no_row() -> None:
    found = gpu_probe.trace(
        "0, 1980, 120.50, 34, 0x0000000000000001\n0, 1395, 699.11, 61, 0x0000000000000004\n"
        "1, [N/A], 70, 30, 0x0\nFailed to initialize NVML\n0, 1500\n"
    )
    assert found == {
        0: {"lowest_mhz": 1395.0, "highest_mhz": 1980.0, "power_w": 699.11, "celsius": 61.0, "reasons": 5}
    }


def test_a_rate_is_of_the_median_round(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.0, 10.0, 12.0, 20.0, 21.0, 30.0, 34.0])
    monkeypatch.setattr(gpu_probe.time, "perf_counter", lambda: next(ticks))
    assert gpu_probe.rate(lambda: None, lambda: None, 8.0, 1.0) == 4.0
