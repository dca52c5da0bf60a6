"""Ends the replicas of this node by a signal, with a request in flight: waits for one, so many seconds at most.

Where none comes it sends no signal. With ``--ended-s`` it waits so long for them to be gone. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
import urllib.request
from typing import Any

POLL_S = 0.005
ASK_S = 5.0


def in_flight(address: str, port: int, token: str) -> int:
    """Requests that a replica has; 0 where it does not say."""
    asked = urllib.request.Request(
        f"http://{address}:{port}/stats", headers={"Authorization": f"Bearer {token}"}
    )
    # No proxy of the environment: it is a node's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=ASK_S) as answer:
            return int(json.load(answer)["in_flight"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def alive(pid: int) -> bool:
    """Whether the process runs; one that only its parent still has to hear of does not."""
    try:
        with open(f"/proc/{pid}/stat") as source:
            return source.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def stop(
    states: list[dict[str, Any]], address: str, token: str, number: int, wait_s: float, ended_s: float
) -> dict[str, Any]:
    """What was seen and done."""
    deadline, seen = time.monotonic() + wait_s, 0
    while True:
        # One is enough, and time that is spent on asking the others is time in which it may end.
        seen = next((found for one in states if (found := in_flight(address, one["port"], token))), 0)
        if seen or time.monotonic() >= deadline:
            break
        time.sleep(POLL_S)
    pids = [one["pid"] for one in states] if seen else []
    for pid in pids:
        os.kill(pid, number)
    until = time.monotonic() + ended_s
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(POLL_S)
    return {"in_flight": seen, "signalled": len(pids), "left": sum(map(alive, pids))}


def main() -> None:
    parser = argparse.ArgumentParser(description="railbed's reference service: the end of a node's replicas")
    parser.add_argument("--signal", required=True, choices=["TERM", "KILL"])
    parser.add_argument("--address", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--state-file", required=True, action="append")
    parser.add_argument("--wait-s", type=float, required=True)
    parser.add_argument("--ended-s", type=float, required=True)
    options = parser.parse_args()
    states = []
    for path in options.state_file:
        with open(path) as source:
            states.append(json.load(source))
    with open(options.token_file) as source:
        token = source.read().strip()
    number = getattr(signal, "SIG" + options.signal)
    print(json.dumps(stop(states, options.address, token, number, options.wait_s, options.ended_s)))


if __name__ == "__main__":
    main()
