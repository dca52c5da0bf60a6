#!/usr/bin/python3
"""SIMULATED: stands in for the client of NVIDIA's DCGM. It asks the host engine, and prints what that says."""

from __future__ import annotations

import socket
import sys

VERSION = "@PROGRAM@"
ADDRESS = ("127.0.0.1", 5555)
NO_ENGINE = """\
Error: unable to establish a connection to the specified host: localhost
Error: Unable to connect to host engine. Host engine connection invalid/disconnected.
"""


def main(words: list[str]) -> int:
    """Exit status, as the engine gives it."""
    if words in (["--version"], ["-v"]):
        sys.stdout.write(f"\ndcgmi  version: {VERSION}\n\n")
        return 0
    try:
        with socket.create_connection(ADDRESS) as link, link.makefile("rw") as stream:
            stream.write(" ".join(words) + "\n")
            stream.flush()
            code, _, said = stream.read().partition("\n")
    except OSError:
        sys.stdout.write(NO_ENGINE)
        return 1
    sys.stdout.write(said)
    return int(code or 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
