#!/usr/bin/python3
"""Serves the files of a folder over HTTP to many at once. Standard library only.

usage: serve.py --folder FOLDER --address ADDRESS --port PORT

A file goes from the page cache to the socket inside the kernel (sendfile(2)). Folders are not listed. Who asks checks what came
by a hash that it has from elsewhere.
"""

from __future__ import annotations

import argparse
import http.server
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

IDLE_TIMEOUT_S = 60
"""Who neither asks nor takes for so long is let go."""
WAITING_MOST = 4096
"""Connections that wait to be taken: all nodes of a cluster may ask at once."""


class Handler(http.server.SimpleHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S

    def list_directory(self, path: object) -> None:  # noqa: ARG002 - the base class's
        """No list."""
        self.send_error(http.HTTPStatus.NOT_FOUND)

    def copyfile(self, source: Any, outputfile: object) -> None:  # noqa: ARG002 - the base class's
        """Inside the kernel."""
        self.connection.sendfile(source)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Thousands of nodes ask for the same files: only errors are written down."""


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection."""

    request_queue_size = WAITING_MOST
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        """A node that went away is no fault of the server's; another error is one line."""
        wrong = sys.exc_info()[1]
        if not isinstance(wrong, (ConnectionError, socket.timeout)):
            print(f"{client_address}: {wrong!r}", file=sys.stderr)


def server(folder: Path, address: str, port: int) -> Server:
    """One that listens. Raises OSError where it cannot."""
    return Server((address, port), partial(Handler, directory=str(folder)))


def main(argv: list[str]) -> int:
    """Entry point of the program."""
    parser = argparse.ArgumentParser(description="Serve a folder of wheels.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args(argv)
    try:
        server(given.folder, given.address, given.port).serve_forever()
    except OSError as wrong:
        print(f"{given.address}:{given.port}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
