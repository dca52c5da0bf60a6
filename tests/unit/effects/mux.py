"""A server of OpenSSH's PROTOCOL.mux on one socket, as a program: what another user could bind in the place of a master.

``mux.py SOCKET ANSWER USER`` becomes that user, writes ``bound`` or the error of the system, then gives each session
ANSWER, and ends when it is asked to.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

HELLO, NEW_SESSION, ALIVE_CHECK, TERMINATE = 0x00000001, 0x10000002, 0x10000004, 0x10000005
OK, EXIT_MESSAGE, ALIVE, SESSION_OPENED = 0x80000001, 0x80000004, 0x80000005, 0x80000006


def receive(to: socket.socket) -> bytes:
    """One message; nothing at the end."""
    head = to.recv(4, socket.MSG_WAITALL)
    return to.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL) if len(head) == 4 else b""


def send(to: socket.socket, *numbers: int) -> None:
    body = struct.pack(f">{len(numbers)}I", *numbers)
    to.sendall(struct.pack(">I", len(body)) + body)


def descriptor(to: socket.socket) -> int:
    """One passed with a byte of data."""
    _, given, _, _ = to.recvmsg(1, socket.CMSG_SPACE(4))
    return array.array("i", given[0][2])[0]


def serve(to: socket.socket, answer: str) -> bool:
    """One client to its end; false where it asked the master to end."""
    send(to, HELLO, 4)
    while message := receive(to):
        kind, number = struct.unpack(">2I", message[:8])
        if kind == ALIVE_CHECK:
            send(to, ALIVE, number, os.getpid())
        elif kind == TERMINATE:
            send(to, OK, number)
            return False
        elif kind == NEW_SESSION:
            streams: list[Any] = [descriptor(to) for _ in range(3)]
            send(to, SESSION_OPENED, number, 1)
            os.read(streams[0], 65_536)
            os.write(streams[1], answer.encode())
            send(to, EXIT_MESSAGE, 1, 0)
            return True
    return True


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(path: str, answer: str, user: str) -> None:
    os.setuid(int(user))
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(path)
    except OSError as refused:
        say(type(refused).__name__)
        return
    Path(path).chmod(0o777)
    listening.listen()
    say("bound")
    going = True
    while going:
        client, _ = listening.accept()
        with client:
            going = serve(client, answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
