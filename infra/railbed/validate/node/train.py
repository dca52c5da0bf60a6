"""The reference job: data-parallel training over the rails with checkpoints on the shared filesystem.

One process per rank, started by the scheduler: on a GPU each over NCCL, or on a processor over gloo, as ``--device`` says. A
small decoder learns a fixed function from tokens that the step number alone decides, so a resumed run must repeat the very
losses of the first. On the first attempt one rank kills itself after some steps; the second attempt has to go on from the last
checkpoint.

Rank 0 appends one JSON object per event to ``progress.jsonl`` in the job's folder: start, step, checkpoint, done.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import signal
import socket
import time
from datetime import timedelta
from typing import Any, NamedTuple, Optional

RATE, MOMENTUM, LARGEST_GRADIENT = 0.05, 0.9, 1.0
SEED = 20261124
RAILS_FILE = "/etc/nccl.conf"
PIECE_BYTES = 1 << 20
EQUAL_SUMS = ":4096:8"
"""With this workspace cuBLAS adds in the same order every time (NVIDIA, cuBLAS, "Results Reproducibility")."""


class Size(NamedTuple):
    """A decoder and what each rank gives it in a step."""

    vocabulary: int
    width: int
    heads: int
    layers: int
    sequence: int
    batch: int


class Device(NamedTuple):
    """What ranks compute on."""

    backend: str
    """Of torch.distributed."""
    size: Size
    group_timeout_s: int
    """How long ranks wait for each other; on GPUs also while rank 0 writes a checkpoint of 1.75 GB."""


DEVICES = {
    "cpu": Device("gloo", Size(256, 128, 4, 2, 32, 4), 20),
    "cuda": Device("nccl", Size(32768, 1024, 16, 12, 2048, 4), 120),
}
"""A processor in the lab has milliseconds for a step. A GPU gets 2e8 parameters and 8192 tokens: matrices large enough to load
it, in a checkpoint that no filesystem in use is burdened by."""


def rails(path: str = RAILS_FILE) -> str:
    """Interfaces of the rails, comma-separated, from the NCCL settings of this node; may be empty."""
    try:
        with open(path) as source:
            lines = source.read().splitlines()
    except OSError:
        return ""
    found = [line.split("=", 1)[1].strip() for line in lines if line.startswith("NCCL_SOCKET_IFNAME=")]
    return found[-1].lstrip("=^") if found else ""


class Log:
    """Events of one attempt; silent on every rank but the first."""

    def __init__(self, folder: str, attempt: int, rank: int) -> None:
        self.path = os.path.join(folder, "progress.jsonl")
        self.attempt, self.rank = attempt, rank

    def write(self, event: str, **fields: Any) -> None:
        if self.rank == 0:
            record = {"event": event, "attempt": self.attempt, "at": time.time(), **fields}
            with open(self.path, "a") as sink:
                sink.write(json.dumps(record) + "\n")
                sink.flush()
                os.fsync(sink.fileno())


def save(torch: Any, state: dict[str, Any], path: str) -> tuple[float, int, str]:
    """Writes a checkpoint so that a crash leaves the old or the new one; seconds, bytes and SHA-256."""
    began = time.monotonic()
    with open(path + ".new", "wb") as sink:
        torch.save(state, sink)
        sink.flush()
        os.fsync(sink.fileno())
    os.replace(path + ".new", path)
    seconds = time.monotonic() - began
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        while piece := source.read(PIECE_BYTES):
            digest.update(piece)
        return seconds, source.tell(), digest.hexdigest()


def decoder(torch: Any, size: Size) -> Any:
    """A decoder of the usual form: each layer adds causal attention and a perceptron to its input, both after a normalization."""
    nn = torch.nn

    class Layer(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            width = size.width
            self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
            self.threefold, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            batch, sequence, width = x.shape
            parts = self.threefold(self.before(x)).view(batch, sequence, 3, size.heads, width // size.heads)
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            seen = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + self.joined(seen.transpose(1, 2).reshape(batch, sequence, width))
            return x + self.narrow(nn.functional.gelu(self.wide(self.between(x))))

    return nn.Sequential(
        nn.Embedding(size.vocabulary, size.width), *[Layer() for _ in range(size.layers)],
        nn.LayerNorm(size.width), nn.Linear(size.width, size.vocabulary),
    )  # fmt: skip


class Trainer:
    """A model whose gradients are averaged over all ranks, and its momentum.

    By hand instead of by DistributedDataParallel and torch.optim: these two import torch's compiler, which
    costs each rank 2.5 s of CPU and has no part in what is proven here.
    """

    def __init__(self, torch: Any, device: str, place: str, pieces: int) -> None:
        self.torch, self.device, self.place, self.pieces = torch, device, place, pieces
        self.size = DEVICES[device].size
        self.model = decoder(torch, self.size).to(place)
        self.velocity = [torch.zeros_like(weight) for weight in self.model.parameters()]
        self.compute_s: list[float] = []
        """Of each step: without waiting for other ranks."""

    def tokens(self, seed: int) -> tuple[Any, Any]:
        """Tokens and what follows each; drawn on the processor, so that they are the same on any device."""
        drawn = self.torch.Generator().manual_seed(seed)
        shape = (self.size.batch, self.size.sequence)
        tokens = self.torch.randint(self.size.vocabulary, shape, generator=drawn)
        return tokens.to(self.place), ((5 * tokens + 17) % self.size.vocabulary).to(self.place)

    def finish(self) -> None:
        """Waits for what the device was given to do."""
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def step(self, seed: int, ranks: int) -> float:
        """One step; returns this rank's loss. On processors the gradients travel in one piece per rail, all at once; NCCL
        spreads one piece over the rails by itself."""
        torch, began = self.torch, time.monotonic()
        weights = list(self.model.parameters())
        inputs, targets = self.tokens(seed)
        half = torch.autocast("cuda", torch.bfloat16) if self.device == "cuda" else contextlib.nullcontext()
        with half:
            logits = self.model(inputs).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits.float(), targets.flatten())
        gradients = torch.autograd.grad(loss, weights)
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        self.finish()
        self.compute_s.append(time.monotonic() - began)
        sums = [torch.distributed.all_reduce(piece, async_op=True) for piece in flat.chunk(self.pieces)]
        for pending in sums:
            pending.wait()
        flat.div_(ranks)
        flat.mul_(torch.clamp(LARGEST_GRADIENT / flat.norm(), max=1.0))
        averaged = flat.split([weight.numel() for weight in weights])
        with torch.no_grad():
            for weight, velocity, gradient in zip(weights, self.velocity, averaged):  # noqa: B905 - Python 3.9
                velocity.mul_(MOMENTUM).add_(gradient.view_as(weight))
                weight.sub_(velocity, alpha=RATE)
        return float(loss.detach())

    def state(self, step: int) -> dict[str, Any]:
        return {"step": step, "model": self.model.state_dict(), "velocity": self.velocity}

    def load(self, path: str) -> int:
        """Takes over a checkpoint; returns the step that it was written after."""
        state = self.torch.load(path, weights_only=True, map_location=self.place)
        self.model.load_state_dict(state["model"])
        self.velocity = state["velocity"]
        return int(state["step"])

    def peak_bytes(self) -> Optional[int]:
        """The most memory of the GPU that tensors took; None on a processor."""
        return int(self.torch.cuda.max_memory_allocated()) if self.device == "cuda" else None

    def name(self) -> str:
        return str(self.torch.cuda.get_device_name()) if self.device == "cuda" else "cpu"


def prepare(torch: Any, device: str, local_rank: int) -> str:
    """Seeds, and gives this rank its device; the device's name for torch. Sums are made in the same order every time."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    if device == "cpu":
        return device
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", EQUAL_SUMS)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every output is filled before it is computed, which takes time of each step.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.cuda.set_device(local_rank)
    return f"cuda:{local_rank}"


def train(options: argparse.Namespace) -> None:
    """Trains to the last step, resuming from a checkpoint where there is one."""
    import torch
    import torch.distributed as dist

    rank, ranks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    attempt = int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    log, device = Log(options.folder, attempt, rank), DEVICES[options.device]
    place = prepare(torch, options.device, int(os.environ["SLURM_LOCALID"]))
    dist.init_process_group(
        device.backend, init_method=f"tcp://{options.master}:{options.port + attempt}", rank=rank, world_size=ranks,
        timeout=timedelta(seconds=device.group_timeout_s),
    )  # fmt: skip
    hosts: list[Any] = [None] * ranks
    dist.all_gather_object(hosts, socket.gethostname())
    interfaces = rails()
    trainer = Trainer(
        torch, options.device, place, interfaces.count(",") + 1 if options.device == "cpu" else 1
    )
    path = os.path.join(options.folder, "checkpoint.pt")
    first, restored_s = 1, None
    if os.path.exists(path):
        began = time.monotonic()
        first = trainer.load(path) + 1
        restored_s = time.monotonic() - began
    log.write(
        "start", hosts=hosts, first_step=first, restored_s=restored_s, rails=interfaces, torch=torch.__version__,
        backend=device.backend, device=trainer.name(), tokens=trainer.size.batch * trainer.size.sequence,
    )  # fmt: skip
    for step in range(first, options.steps + 1):
        if attempt == 0 and step == options.die_at and rank == options.die_rank:
            os.kill(os.getpid(), signal.SIGKILL)
        began = time.monotonic()
        mean = torch.tensor(trainer.step(SEED + step * ranks + rank, ranks), device=place)
        dist.all_reduce(mean)
        loss = float(mean) / ranks
        # JSON has no NaN: a loss that is no number is null.
        known = loss if math.isfinite(loss) else None
        log.write("step", step=step, loss=known, seconds=time.monotonic() - began)
        if step % options.checkpoint_every == 0 and rank == 0:
            seconds, size, digest = save(torch, trainer.state(step), path)
            log.write("checkpoint", step=step, seconds=seconds, bytes=size, sha256=digest)
    spent: list[Any] = [None] * ranks
    dist.all_gather_object(spent, sorted(trainer.compute_s)[len(trainer.compute_s) // 2])
    log.write("done", step=options.steps, compute_s=spent, peak_bytes=trainer.peak_bytes())
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description="railbed's reference job")
    parser.add_argument("--device", required=True, choices=DEVICES)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--master", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--checkpoint-every", type=int, required=True)
    parser.add_argument("--die-at", type=int, required=True)
    parser.add_argument("--die-rank", type=int, required=True)
    options = parser.parse_args()
    interfaces = rails()
    if interfaces:
        os.environ["GLOO_SOCKET_IFNAME"] = interfaces
    train(options)


if __name__ == "__main__":
    main()
