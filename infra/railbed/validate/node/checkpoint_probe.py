"""One node's part of a checkpoint: its ranks write, or read back, a file each, all at once.

``checkpoint_probe.py write|read FOLDER NODE_BYTES FILES [INDEX COUNT]``; without INDEX and COUNT the scheduler's own
(SLURM_PROCID, SLURM_NTASKS). A node reads what the next one wrote, so that no client reads its own cache. Prints one JSON
object: begin and end by the node's clock, bytes, and the files that were read otherwise than they were written.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

BLOCK = 16 * 1024 * 1024
STAMP = 32
"""Bytes at the start of every block that say whose it is."""


def stamp(name: str, block: int) -> bytes:
    """What block ``block`` of a file begins with."""
    return f"{name}:{block}".encode().ljust(STAMP, b".")[:STAMP]


def sizes(total: int, files: int) -> list[int]:
    """Bytes of each file; together ``total``."""
    return [total // files + (1 if i < total % files else 0) for i in range(files)]


def write(path: str, size: int, buffer: bytearray) -> None:
    """Writes the buffer again and again, each time with the block's stamp, and waits until the servers have it all."""
    name, view = os.path.basename(path), memoryview(buffer)
    with open(path, "wb", buffering=0) as sink:
        for block, at in enumerate(range(0, size, BLOCK)):
            buffer[:STAMP] = stamp(name, block)
            rest = view[: min(BLOCK, size - at)]
            while rest:
                rest = rest[sink.write(rest) :]
        os.fsync(sink.fileno())


def read(path: str, size: int, buffer: bytearray) -> str:
    """Reads the whole file; returns what is wrong with it, empty where nothing is."""
    name, view = os.path.basename(path), memoryview(buffer)
    with open(path, "rb", buffering=0) as source:
        for block, at in enumerate(range(0, size, BLOCK)):
            wanted, got = min(BLOCK, size - at), 0
            while got < wanted:
                more = source.readinto(view[got:wanted])
                if not more:
                    return f"{name}: {at + got} of {size} bytes"
                got += more
            kept = min(STAMP, wanted)
            if buffer[:kept] != stamp(name, block)[:kept]:
                return f"{name}: block {block} holds other bytes"
        return f"{name}: more than {size} bytes" if source.read(1) else ""


def run(verb: str, folder: str, total: int, files: int, index: int, count: int) -> dict[str, Any]:
    """The node's part: all its files at once."""
    owner = index if verb == "write" else (index + 1) % count
    paths = [os.path.join(folder, f"part-{owner}-{i}") for i in range(files)]
    # Made before the clock starts: no server compresses it, and no rank pays for it.
    buffers = [bytearray(os.urandom(BLOCK)) for _ in paths]
    began = time.time()
    try:
        with ThreadPoolExecutor(max_workers=files) as ranks:
            results = list(ranks.map(write if verb == "write" else read, paths, sizes(total, files), buffers))
    except OSError as broken:
        return {"node": os.uname().nodename, "error": f"{verb}: {broken.strerror or broken}"}
    wrong = [one for one in results if one]
    return {
        "node": os.uname().nodename, "begin": began, "end": time.time(), "bytes": total, "wrong": wrong,
    }  # fmt: skip


if __name__ == "__main__":
    place = sys.argv[5:7] or [os.environ["SLURM_PROCID"], os.environ["SLURM_NTASKS"]]
    reply = run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(place[0]), int(place[1]))
    sys.stdout.write(json.dumps(reply) + "\n")
