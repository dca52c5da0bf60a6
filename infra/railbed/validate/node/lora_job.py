"""One rank of a small fine-tuning job: reads the base model's file, then trains LoRA adapters of a decoder with random weights.

``lora_job.py make PATH BYTES`` writes that file. ``lora_job.py run …`` is started by the scheduler, a rank a GPU on GPUs, else
one on a node. The first rank of each node of a job reads the whole file, once all jobs are ready to: past the node's cache
(O_DIRECT), or, where the filesystem has none of that, after the cache was told to let go of the file. The bytes are thrown away;
what is trained is small and the same in each rank. LoRA (Hu and others, 2021, arXiv 2106.09685): the base is frozen, a product of
two thin matrices is learnt beside each weight. Ranks exchange nothing: that is the collectives' and the reference job's part.

Each rank leaves one JSON object in ``result-JOB-RANK.json``.
"""

from __future__ import annotations

import argparse
import errno
import glob
import json
import math
import mmap
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Optional

BLOCK = 16 * 1024 * 1024
STREAMS = 8
"""Parts of the file that one job reads at once, as loaders read shards."""
NO_DIRECT = (errno.EINVAL, errno.EOPNOTSUPP)
"""What filesystems say that know no reads past the cache (open(2))."""
POLL_S = 0.1
SEED = 20261203
SCALE = 2.0
"""Of what the adapters add."""
RATE, DECAYS, TINY = 0.01, (0.9, 0.99), 1e-8
"""Adam's, by hand: torch.optim imports torch's compiler, which costs seconds of a processor."""


class Size(NamedTuple):
    """A decoder, its adapters, and what each step has."""

    vocabulary: int
    width: int
    heads: int
    layers: int
    thin: int
    """Rank of the adapters."""
    sequence: int
    batch: int


SIZES = {"cpu": Size(256, 64, 4, 2, 4, 32, 4), "cuda": Size(32768, 2048, 16, 8, 16, 2048, 4)}
"""A processor has milliseconds for a step; a GPU gets 4.7e8 parameters and 8192 tokens, which load it."""


def make(path: str, size: int) -> None:
    """Writes ``size`` bytes that no server compresses, each block with its number, and waits until the servers have them."""
    buffer = bytearray(os.urandom(min(BLOCK, size)))
    with open(path, "wb", buffering=0) as sink:
        for block, at in enumerate(range(0, size, BLOCK)):
            stamp = b"%016d" % block
            buffer[: min(16, len(buffer))] = stamp[: len(buffer)]
            rest = memoryview(buffer)[: min(BLOCK, size - at)]
            while rest:
                rest = rest[sink.write(rest) :]
        os.fsync(sink.fileno())
        os.posix_fadvise(sink.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def opened(path: str) -> tuple[int, bool]:
    """The file, and whether reads go past the cache."""
    file = -1
    try:
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
        with mmap.mmap(-1, mmap.PAGESIZE) as page:
            os.preadv(file, [page], 0)
        return file, True
    except OSError as refused:
        if file >= 0:
            os.close(file)
        if refused.errno not in NO_DIRECT:
            raise
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    return file, False


def _part(file: int, first: int, end: int, size: int) -> int:
    """Reads blocks from ``first`` on, a buffer aligned as O_DIRECT wants it; bytes that came."""
    got = 0
    with mmap.mmap(-1, BLOCK) as buffer:
        at = first
        while at < min(end, size):
            count = os.preadv(file, [buffer], at)
            if count <= 0:
                break
            # Within a block O_DIRECT goes on at whole pages only; the last one may be short.
            at += count if at + count >= size else count - count % mmap.PAGESIZE
            got = min(at, end, size) - first
            if count < mmap.PAGESIZE and at < size:
                break
    return got


def read(path: str) -> dict[str, Any]:
    """Reads the whole file in several streams at once."""
    size = os.stat(path).st_size
    blocks = -(-size // BLOCK)
    each = -(-blocks // STREAMS) * BLOCK
    file, direct = opened(path)
    try:
        begin = time.time()
        with ThreadPoolExecutor(max_workers=STREAMS) as streams:
            parts = [
                streams.submit(_part, file, at, min(at + each, size), size) for at in range(0, size, each)
            ]
            total = sum(one.result() for one in parts)
        return {"read_begin": begin, "read_end": time.time(), "read_bytes": total, "direct": direct}
    finally:
        os.close(file)


def gather(folder: str, name: str, count: int, wait_s: float) -> bool:
    """Says that this one is ready, and waits until ``count`` are; False where they did not come in time."""
    with open(os.path.join(folder, f"ready-{name}"), "w"):
        pass
    until = time.monotonic() + wait_s
    while sum(one.startswith("ready-") for one in os.listdir(folder)) < count:
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True


def devices(pattern: str = "/dev/nvidia*") -> list[int]:
    """Numbers of the GPUs whose device files this process may open. Opening one asks the cgroup, and changes nothing."""
    found = []
    for path in glob.glob(pattern):
        number = re.fullmatch(r"nvidia(\d+)", os.path.basename(path))
        if not number:
            continue
        try:
            os.close(os.open(path, os.O_RDWR))
        except OSError:
            continue
        found.append(int(number[1]))
    return sorted(found)


class Trainer:
    """A decoder whose weights stay as they are, and adapters that learn one batch."""

    def __init__(self, torch: Any, device: str, place: str) -> None:
        self.torch, self.device, self.place, self.size = torch, device, place, SIZES[device]
        size, drawn = self.size, torch.Generator(device=place).manual_seed(SEED)
        kind = torch.bfloat16 if device == "cuda" else torch.float32

        def random(*shape: int, spread: float) -> Any:
            return (torch.randn(*shape, generator=drawn, device=place) * spread).to(kind)

        wide = size.width
        shapes = [(3 * wide, wide), (wide, wide), (4 * wide, wide), (wide, 4 * wide)]
        self.embedding = random(size.vocabulary, wide, spread=1.0)
        self.layers = [
            [random(*shape, spread=shape[1] ** -0.5) for shape in shapes] for _ in range(size.layers)
        ]
        self.adapters = []
        """Of each weight two: into the thin middle, and out of it, which begins at zero: at first nothing is changed."""
        for _ in range(size.layers):
            for rows, columns in shapes:
                down = random(size.thin, columns, spread=columns**-0.5).float()
                self.adapters += [down, torch.zeros(rows, size.thin, device=place)]
        for one in self.adapters:
            one.requires_grad_(True)
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.adapters]
        tokens = torch.randint(size.vocabulary, (size.batch, size.sequence), generator=drawn, device=place)
        self.tokens, self.targets = tokens, (5 * tokens + 17) % size.vocabulary

    def linear(self, x: Any, weight: Any, at: int) -> Any:
        down, up = self.adapters[at], self.adapters[at + 1]
        return x @ weight.T + ((x @ down.to(x.dtype).T) @ up.to(x.dtype).T) * SCALE

    def logits(self) -> Any:
        nn, size = self.torch.nn.functional, self.size
        x = self.embedding[self.tokens]
        batch, sequence, wide = x.shape
        for place, (threefold, joined, widens, narrows) in enumerate(self.layers):
            at = 8 * place
            seen = self.linear(nn.layer_norm(x, (wide,)), threefold, at)
            query, key, value = seen.view(batch, sequence, 3, size.heads, wide // size.heads).permute(
                2, 0, 3, 1, 4
            )
            mixed = nn.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = x + self.linear(mixed.transpose(1, 2).reshape(batch, sequence, wide), joined, at + 2)
            inner = nn.gelu(self.linear(nn.layer_norm(x, (wide,)), widens, at + 4))
            x = x + self.linear(inner, narrows, at + 6)
        return (nn.layer_norm(x, (wide,)) @ self.embedding.T).flatten(0, 1) * wide**-0.5

    def step(self, number: int) -> float:
        """One step, to its end; its loss."""
        torch = self.torch
        loss = torch.nn.functional.cross_entropy(self.logits().float(), self.targets.flatten())
        gradients = torch.autograd.grad(loss, self.adapters)
        with torch.no_grad():
            for adapter, (mean, square), gradient in zip(self.adapters, self.moments, gradients):  # noqa: B905 - Python 3.9
                mean.mul_(DECAYS[0]).add_(gradient, alpha=1 - DECAYS[0])
                square.mul_(DECAYS[1]).addcmul_(gradient, gradient, value=1 - DECAYS[1])
                size = (square / (1 - DECAYS[1] ** number)).sqrt_().add_(TINY)
                adapter.addcdiv_(mean / (1 - DECAYS[0] ** number), size, value=-RATE)
        if self.device == "cuda":
            torch.cuda.synchronize()
        return float(loss.detach())


def train(device: str, local: int, steps: int) -> dict[str, Any]:
    """When the first step was done, the median of the others, and the losses at both ends."""
    import torch

    torch.set_num_threads(1)
    if device == "cuda":
        local = local % max(torch.cuda.device_count(), 1)
        torch.cuda.set_device(local)
    trainer = Trainer(torch, device, f"cuda:{local}" if device == "cuda" else device)
    took, losses, first = [], [], 0.0
    for number in range(1, steps + 1):
        began = time.monotonic()
        losses.append(trainer.step(number))
        took.append(time.monotonic() - began)
        first = first or time.time()
    median = sorted(took[1:])[len(took[1:]) // 2]
    # JSON has no NaN: a loss that is no number is null.
    ends = [one if math.isfinite(one) else None for one in (losses[0], losses[-1])]
    return {
        "first_step": first, "step_s": median, "tokens": trainer.size.batch * trainer.size.sequence, "losses": ends,
        "torch": torch.__version__,
    }  # fmt: skip


def run(options: argparse.Namespace) -> dict[str, Any]:
    rank, local = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_LOCALID"])
    said: dict[str, Any] = {
        "job": options.job, "rank": rank, "node": os.environ["SLURMD_NODENAME"], "began": time.time(), "devices": devices(),
    }  # fmt: skip
    if local == 0:
        name = f"{options.job}-{rank}"
        said["together"] = gather(options.folder, name, options.readers, options.ready_s)
        said.update(read(os.path.join(options.folder, "model")))
    said.update(train(options.device, local, options.steps))
    return said


def main(argv: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(description="railbed's small fine-tuning job")
    verbs = parser.add_subparsers(dest="verb", required=True)
    made = verbs.add_parser("make")
    made.add_argument("path")
    made.add_argument("bytes", type=int)
    ran = verbs.add_parser("run")
    ran.add_argument("--device", required=True, choices=SIZES)
    ran.add_argument("--folder", required=True)
    ran.add_argument("--job", type=int, required=True)
    ran.add_argument("--readers", type=int, required=True)
    ran.add_argument("--ready-s", type=float, required=True)
    ran.add_argument("--steps", type=int, required=True)
    options = parser.parse_args(argv)
    if options.verb == "make":
        make(options.path, options.bytes)
        return
    said = run(options)
    path = os.path.join(options.folder, f"result-{options.job}-{said['rank']}.json")
    with open(path + ".new", "w") as sink:
        sink.write(json.dumps(said) + "\n")
    os.replace(path + ".new", path)


if __name__ == "__main__":
    main()
