"""One client's part in the storage measurements: writes or reads one file, timed, with its SHA-256.

Read from stdin by the node's Python: ``write PATH BYTES SEED`` or ``read PATH``. Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from typing import Any

BLOCK = 1024 * 1024


def _put(path: str, blocks: list[bytes]) -> None:
    with open(path, "wb") as sink:
        for block in blocks:
            sink.write(block)
        sink.flush()
        os.fsync(sink.fileno())


def write(path: str, size: int, seed: int) -> dict[str, Any]:
    """Writes incompressible bytes and waits until they are on the servers.

    A small file goes first: the first write of a client also pays for its connections to the servers.
    """
    source = random.Random(seed)
    _put(path + ".first", [source.randbytes(BLOCK)])
    os.unlink(path + ".first")
    data = [source.randbytes(min(BLOCK, size - at)) for at in range(0, size, BLOCK)]
    digest = hashlib.sha256()
    for block in data:
        digest.update(block)
    began = time.monotonic()
    _put(path, data)
    return {"seconds": time.monotonic() - began, "bytes": size, "sha256": digest.hexdigest()}


def read(path: str) -> dict[str, Any]:
    """Reads the whole file; hashing comes after the clock stopped."""
    began = time.monotonic()
    blocks = []
    with open(path, "rb") as source:
        while True:
            block = source.read(BLOCK)
            if not block:
                break
            blocks.append(block)
    seconds = time.monotonic() - began
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return {"seconds": seconds, "bytes": sum(map(len, blocks)), "sha256": digest.hexdigest()}


if __name__ == "__main__":
    if sys.argv[1] == "write":
        print(json.dumps(write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        print(json.dumps(read(sys.argv[2])))
