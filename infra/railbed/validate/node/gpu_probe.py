"""How fast the GPUs of one node compute and copy, and whether each computes the same bits every time.

``gpu_probe.py --node NAME --device cuda|cpu --gpus N --measure bf16,fp8,fp64,hbm,copies,digest``. All GPUs compute at once, so
that the node draws its power and makes its heat; copies from and to the host run one GPU after the other. ``cpu`` computes
everything on a processor, with small sizes, N times: a stand-in for GPUs that are not there. Prints the lines of `gpu_lines.py`.

A rate is that of the median of ``ROUNDS`` rounds: one that heats up shows. Needs PyTorch 2.10 or later, and numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Optional

from railbed.validate.node.gpu_lines import lines

SEED = 20261130
ROUNDS = 3
STEPS = 4
"""Matrix products of one deterministic computation."""
REPEATS = 4
TRACE_MS = 200
TRACE_FIELDS = "index,clocks.sm,power.draw,temperature.gpu,clocks_event_reasons.active"
TOGETHER_TIMEOUT_S = 60.0
"""For all GPUs of the node to get ready to begin together; then each goes on alone."""
GEMMS = ("bf16", "fp8", "fp64")
PEER_SHARE = 4
"""A copy between GPUs has this part of the bytes and of the time of a round of copies from the host."""
PEERS_MOST = 32
"""Rates to so many GPUs fit into a line; no node that is known has more than 16."""
LARGEST, SCALE = 64, 32
"""Numbers for a digest are whole, from -LARGEST to LARGEST, divided by SCALE, a power of two: exact in bf16, and about as large
as normal ones."""


@dataclass(frozen=True)
class Size:
    """How much is computed and copied."""

    side: int
    """Rows and columns of the matrices."""
    memory_bytes: int
    host_bytes: int
    round_s: float
    """Least length of one round."""


SIZES = {"cuda": Size(8192, 4 << 30, 1 << 30, 2.0), "cpu": Size(128, 1 << 20, 1 << 20, 0.002)}


def rate(work: Callable[[], None], settle: Callable[[], None], amount: float, least_s: float) -> float:
    """``amount`` a second of ``work``, of the median round. Each round has work for ``least_s`` or longer."""
    work()
    settle()
    began = time.perf_counter()
    work()
    settle()
    times = max(1, int(least_s / max(time.perf_counter() - began, 1e-9)))
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        settle()
        rates.append(amount * times / max(time.perf_counter() - began, 1e-9))
    return statistics.median(rates)


class Gpu:
    """One GPU, or the processor in its place."""

    def __init__(self, torch: Any, kind: str, index: int) -> None:
        self.torch, self.kind, self.index, self.size = torch, kind, index, SIZES[kind]
        self.device = torch.device("cpu") if kind == "cpu" else torch.device("cuda", index)
        self.host: Any = None
        """Kept until the program ends: torch would give the next GPU this locked memory, which may lie on another socket."""

    def model(self) -> str:
        return "cpu" if self.kind == "cpu" else str(self.torch.cuda.get_device_name(self.index))

    def settle(self) -> None:
        """Waits until the GPU has finished its queue."""
        if self.kind != "cpu":
            self.torch.cuda.synchronize(self.device)

    def matrix(self, number: int, side: int) -> Any:
        """Normal numbers that a generator of the processor makes; their last bits depend on its vector instructions."""
        source = self.torch.Generator().manual_seed(SEED + number)
        return self.torch.randn(side, side, generator=source).to(self.device)

    def exact(self, number: int, side: int) -> Any:
        """Numbers whose bits are the same whichever processor made them."""
        torch, source = self.torch, self.torch.Generator().manual_seed(SEED + number)
        whole = torch.randint(-LARGEST, LARGEST + 1, (side, side), generator=source, dtype=torch.int8)
        return whole.to(self.device).to(torch.float32) / SCALE

    def gemm(self, kind: str) -> float:
        """TFLOPS of a product of square matrices: 2 n³ operations."""
        side = self.size.side
        a, b = self.matrix(0, side), self.matrix(1, side)
        product = self._product(kind, a, b)
        return rate(product, self.settle, 2.0 * side**3 / 1e12, self.size.round_s)

    def _product(self, kind: str, a: Any, b: Any) -> Callable[[], None]:
        torch = self.torch
        if kind != "fp8":
            wide = {"bf16": torch.bfloat16, "fp64": torch.float64}[kind]
            a, b = a.to(wide), b.to(wide)
            out = torch.empty_like(a)

            def plain() -> None:
                torch.mm(a, b, out=out)

            return plain
        functional, one = torch.nn.functional, torch.ones((), device=self.device)
        a, b = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn).t()
        whole = functional.ScalingType.TensorWise

        def scaled() -> None:
            functional.scaled_mm(a, b, one, whole, one, whole, output_dtype=torch.bfloat16)

        return scaled

    def memory(self) -> float:
        """GB/s of a copy within the GPU's memory; each byte is read and written."""
        source = self.torch.ones(self.size.memory_bytes, dtype=self.torch.uint8, device=self.device)
        target = self.torch.empty_like(source)
        return rate(
            lambda: target.copy_(source), self.settle, 2 * source.numel() / 1e9, self.size.round_s / 4
        )

    def copies(self) -> dict[str, float]:
        """GB/s from and to locked memory of the host, which lies beside the GPU."""
        torch, count = self.torch, self.size.host_bytes
        with beside(self.device_address()):
            host = self.host = torch.ones(count, dtype=torch.uint8, pin_memory=self.kind != "cpu")
            there = torch.empty(count, dtype=torch.uint8, device=self.device)
            least_s = self.size.round_s / 8
            return {
                "h2d": rate(lambda: there.copy_(host, non_blocking=True), self.settle, count / 1e9, least_s),
                "d2h": rate(lambda: host.copy_(there, non_blocking=True), self.settle, count / 1e9, least_s),
            }

    def sent(self, other: Gpu) -> tuple[float, bool]:
        """GB/s of a copy from this GPU's memory to another one's, and whether every byte arrived as it was."""
        torch, count = self.torch, max(1, self.size.host_bytes // PEER_SHARE // 8)
        source = torch.arange(count, dtype=torch.int64, device=self.device) + self.index
        target = torch.zeros(count, dtype=torch.int64, device=other.device)

        def settle() -> None:
            self.settle()
            other.settle()

        least_s = self.size.round_s / 8 / PEER_SHARE
        found = rate(lambda: target.copy_(source, non_blocking=True), settle, 8 * count / 1e9, least_s)
        wanted = torch.arange(count, dtype=torch.int64, device=other.device) + self.index
        return found, bool(torch.equal(target, wanted))

    def device_address(self) -> str:
        """Of the PCI device, as sysfs names it; empty: none, or not reported by torch."""
        if self.kind == "cpu":
            return ""
        found = self.torch.cuda.get_device_properties(self.index)
        try:
            return f"{found.pci_domain_id:04x}:{found.pci_bus_id:02x}:{found.pci_device_id:02x}.0"
        except AttributeError:
            return ""

    def digest(self) -> str:
        """SHA-256 of a chain of products in bf16 and in fp64, whose bits depend on nothing but the hardware and the libraries."""
        torch, side = self.torch, self.size.side // 2
        sums = hashlib.sha256()
        for wide in (torch.bfloat16, torch.float64):
            a, x = self.exact(2, side).to(wide), self.exact(3, side).to(wide)
            for _ in range(STEPS):
                x = torch.tanh(torch.mm(a, x) / side**0.5)
            sums.update(x.cpu().contiguous().view(torch.uint8).numpy())
        return sums.hexdigest()


@contextmanager
def beside(address: str) -> Iterator[None]:
    """Keeps this thread on the processors nearest to a PCI device, where sysfs lists them."""
    allowed = os.sched_getaffinity(0)
    try:
        with open(f"/sys/bus/pci/devices/{address}/local_cpulist") as source:
            ranges = [part.split("-") for part in source.read().strip().split(",") if part]
        near = {cpu for part in ranges for cpu in range(int(part[0]), int(part[-1]) + 1)}
    except (OSError, ValueError):
        near = set()
    os.sched_setaffinity(0, near & allowed or allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Answer:
    """What is known of one GPU."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.rates: dict[str, float] = {}
        self.digests: list[str] = []
        self.errors: dict[str, str] = {}
        self.peers: list[Optional[float]] = []
        """GB/s to each GPU of the node, nothing to itself."""
        self.changed: list[int] = []
        """GPUs at which other bytes arrived than were sent."""

    def ask(self, what: str, work: Callable[[], None]) -> None:
        """Does one measurement; what stops it is kept, and says nothing of the others."""
        try:
            work()
        # torch raises RuntimeError for whatever CUDA says, AttributeError where its version lacks a function.
        except (RuntimeError, AttributeError) as failed:
            self.errors[what] = " ".join(str(failed).split()) or type(failed).__name__

    def loaded(self, wanted: list[str], together: Callable[[], Any]) -> None:
        """What it computes while the others compute too."""
        for kind in GEMMS:
            together()
            if kind in wanted:
                self.ask(kind, lambda kind=kind: self.rates.update({kind: self.gpu.gemm(kind)}))  # type: ignore[misc]
        together()
        if "hbm" in wanted:
            self.ask("hbm", lambda: self.rates.update(hbm=self.gpu.memory()))
        together()
        if "digest" in wanted:
            self.ask("digest", lambda: self.digests.extend(self.gpu.digest() for _ in range(REPEATS)))

    def to_peers(self, others: list[Gpu]) -> None:
        """Copies to each other GPU of the node, one after the other."""
        if len(others) > PEERS_MOST:
            raise RuntimeError(f"copies between more than {PEERS_MOST} GPUs are not measured")
        for other in others:
            if other is self.gpu:
                self.peers.append(None)
                continue
            found, whole = self.gpu.sent(other)
            self.peers.append(float(f"{found:.4g}"))
            if not whole:
                self.changed.append(other.index)

    def plain(self) -> dict[str, Any]:
        return {
            "index": self.gpu.index, "model": self.gpu.model(), "rates": self.rates, "digests": self.digests,
            "errors": self.errors, "peers": self.peers, "changed": self.changed,
        }  # fmt: skip


def measured(torch: Any, kind: str, count: int, wanted: list[str]) -> list[dict[str, Any]]:
    """Every GPU's answer."""
    answers = [Answer(Gpu(torch, kind, index)) for index in range(count)]
    if kind == "cpu":
        for one in answers:
            one.loaded(wanted, lambda: None)
    else:
        barrier = threading.Barrier(count)

        def together() -> None:
            with suppress(threading.BrokenBarrierError):
                barrier.wait(TOGETHER_TIMEOUT_S)

        with ThreadPoolExecutor(max_workers=count) as threads:
            list(threads.map(lambda one: one.loaded(wanted, together), answers))
    for one in answers:
        if "copies" in wanted:
            one.ask("copies", lambda one=one: one.rates.update(one.gpu.copies()))  # type: ignore[misc]
    for one in answers:
        if "p2p" in wanted:
            one.ask("p2p", lambda one=one: one.to_peers([other.gpu for other in answers]))  # type: ignore[misc]
    return [one.plain() for one in answers]


@contextmanager
def traced(kind: str) -> Iterator[dict[int, dict[str, float]]]:
    """GPU → extremes of its clock, power and temperature, and the reasons why its clock was held, during the body."""
    found: dict[int, dict[str, float]] = {}
    if kind == "cpu":
        yield found
        return
    argv = ["nvidia-smi", f"--query-gpu={TRACE_FIELDS}", "--format=csv,noheader,nounits", f"-lms={TRACE_MS}"]
    with tempfile.TemporaryFile("w+") as sink:
        try:
            sampler: Optional[subprocess.Popen[str]] = subprocess.Popen(
                argv, stdout=sink, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            sampler = None
        try:
            yield found
        finally:
            if sampler is not None:
                sampler.kill()
                sampler.wait()
            sink.seek(0)
            found.update(trace(sink.read()))


def trace(text: str) -> dict[int, dict[str, float]]:
    """What the rows of nvidia-smi come to, GPU by GPU; a row that is not one is left out."""
    found: dict[int, dict[str, float]] = {}
    for line in text.splitlines():
        try:
            index, clock, power, heat, reasons = (part.strip() for part in line.split(","))
            row = (int(index), float(clock), float(power), float(heat), int(reasons, 16))
        except ValueError:
            continue
        one = found.setdefault(
            row[0],
            {"lowest_mhz": row[1], "highest_mhz": row[1], "power_w": 0.0, "celsius": 0.0, "reasons": 0},
        )
        one["lowest_mhz"], one["highest_mhz"] = (
            min(one["lowest_mhz"], row[1]),
            max(one["highest_mhz"], row[1]),
        )
        one["power_w"], one["celsius"] = max(one["power_w"], row[2]), max(one["celsius"], row[3])
        one["reasons"] = int(one["reasons"]) | row[4]
    return found


def run(node: str, kind: str, count: int, wanted: list[str]) -> dict[str, Any]:
    """The node's answer; with ``error`` where nothing could be measured."""
    said: dict[str, Any] = {"node": node, "gpus": [], "trace": {}, "error": "", "torch": "", "cuda": ""}
    # Before CUDA starts: GPUs are numbered as nvidia-smi numbers them, and products repeat bit by bit.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        import torch
    except (ImportError, OSError) as missing:
        return {**said, "error": f"PyTorch cannot be loaded: {' '.join(str(missing).split())}"}
    said["torch"], said["cuda"] = str(torch.__version__), str(torch.version.cuda or "")
    torch.use_deterministic_algorithms(True)
    # Else every output is filled before it is computed, which is measured as part of a product.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.set_num_threads(1)
    seen = count if kind == "cpu" else int(torch.cuda.device_count())
    if not seen:
        return {**said, "error": "PyTorch sees no GPU"}
    with traced(kind) as kept:
        said["gpus"] = measured(torch, kind, min(seen, count), wanted)
    said["trace"] = {index: one for index, one in kept.items() if index < len(said["gpus"])}
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description="railbed's probe of GPUs")
    parser.add_argument("--node", default=os.environ.get("SLURMD_NODENAME") or os.uname().nodename)
    parser.add_argument("--device", choices=sorted(SIZES), required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--measure", required=True)
    given = parser.parse_args()
    said = run(given.node, given.device, given.gpus, given.measure.split(","))
    sys.stdout.write("".join(f"{one}\n" for one in lines(said)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
