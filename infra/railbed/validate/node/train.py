"""The reference job: data-parallel training over the rails with checkpoints on the shared filesystem.

One process per rank, started by the scheduler. A small model learns a fixed function from data that the step
number alone decides, so a resumed run must repeat the very losses of the first. On the first attempt one rank
kills itself after some steps; the second attempt has to go on from the last checkpoint.

Rank 0 appends one JSON object per event to ``progress.jsonl`` in the job's folder: start, step, checkpoint,
done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import signal
import socket
import time
from datetime import timedelta
from typing import Any

WIDTH, LAYERS, BATCH = 256, 8, 32
RATE, MOMENTUM = 0.05, 0.9
SEED = 20261124
GROUP_TIMEOUT_S = 20
RAILS_FILE = "/etc/nccl.conf"


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
    with open(path, "rb") as source:
        data = source.read()
    return seconds, len(data), hashlib.sha256(data).hexdigest()


class Trainer:
    """A model whose gradients are averaged over all ranks, and its momentum.

    By hand instead of by DistributedDataParallel and torch.optim: these two import torch's compiler, which
    costs each rank 2.5 s of CPU and has no part in what is proven here.
    """

    def __init__(self, torch: Any, pieces: int) -> None:
        self.torch, self.pieces = torch, pieces
        layers = [layer for _ in range(LAYERS) for layer in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh())]
        self.model = torch.nn.Sequential(*layers)
        self.velocity = [torch.zeros_like(weight) for weight in self.model.parameters()]

    def step(self, inputs: Any, ranks: int) -> float:
        """One step; returns this rank's loss. The gradients travel in one piece per rail, all at once."""
        torch = self.torch
        weights = list(self.model.parameters())
        loss = torch.nn.functional.mse_loss(self.model(inputs), torch.sin(inputs))
        gradients = torch.autograd.grad(loss, weights)
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        sums = [torch.distributed.all_reduce(piece, async_op=True) for piece in flat.chunk(self.pieces)]
        for pending in sums:
            pending.wait()
        averaged = flat.div_(ranks).split([weight.numel() for weight in weights])
        with torch.no_grad():
            for weight, velocity, gradient in zip(weights, self.velocity, averaged):  # noqa: B905 - Python 3.9
                velocity.mul_(MOMENTUM).add_(gradient.view_as(weight))
                weight.sub_(velocity, alpha=RATE)
        return float(loss.detach())

    def state(self, step: int) -> dict[str, Any]:
        return {"step": step, "model": self.model.state_dict(), "velocity": self.velocity}

    def load(self, state: dict[str, Any]) -> int:
        """Takes over a checkpoint; returns the step that it was written after."""
        self.model.load_state_dict(state["model"])
        self.velocity = state["velocity"]
        return int(state["step"])


def train(options: argparse.Namespace) -> None:
    """Trains to the last step, resuming from a checkpoint where there is one."""
    import torch
    import torch.distributed as dist

    rank, ranks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    attempt = int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    log = Log(options.folder, attempt, rank)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    dist.init_process_group(
        "gloo", init_method=f"tcp://{options.master}:{options.port + attempt}", rank=rank, world_size=ranks,
        timeout=timedelta(seconds=GROUP_TIMEOUT_S),
    )  # fmt: skip
    hosts: list[Any] = [None] * ranks
    dist.all_gather_object(hosts, socket.gethostname())
    interfaces = rails()
    trainer = Trainer(torch, interfaces.count(",") + 1)
    path = os.path.join(options.folder, "checkpoint.pt")
    first, restored_s = 1, None
    if os.path.exists(path):
        began = time.monotonic()
        first = trainer.load(torch.load(path, weights_only=True)) + 1
        restored_s = time.monotonic() - began
    log.write(
        "start",
        hosts=hosts,
        first_step=first,
        restored_s=restored_s,
        rails=interfaces,
        torch=torch.__version__,
    )
    for step in range(first, options.steps + 1):
        if attempt == 0 and step == options.die_at and rank == options.die_rank:
            os.kill(os.getpid(), signal.SIGKILL)
        began = time.monotonic()
        torch.manual_seed(SEED + step * ranks + rank)
        mean = torch.tensor(trainer.step(torch.randn(BATCH, WIDTH), ranks))
        dist.all_reduce(mean)
        loss = float(mean) / ranks
        # JSON has no NaN: a loss that is no number is null.
        known = loss if math.isfinite(loss) else None
        log.write("step", step=step, loss=known, seconds=time.monotonic() - began)
        if step % options.checkpoint_every == 0 and rank == 0:
            seconds, size, digest = save(torch, trainer.state(step), path)
            log.write("checkpoint", step=step, seconds=seconds, bytes=size, sha256=digest)
    dist.barrier()
    log.write("done", step=options.steps)
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description="railbed's reference job")
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
