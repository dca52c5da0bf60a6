"""One node's part in one round of rail measurements: iperf3 servers and clients confined to rail addresses.

Read from stdin by the node's Python; its only argument is a JSON object::

    {"servers": [{"address": "10.91.3.11", "port": 5203}],
     "clients": [{"id": "3:h100-0:h100-1", "local": "10.91.3.11", "remote": "10.91.3.12", "port": 5203,
                  "both_ways": true}],
     "seconds": 2, "omit": 1, "deadline_s": 12}

It prints ``{"flows": [{"id", "code", "output"}]}`` with iperf3's own JSON in ``output``, starts nothing that
outlives it, and ends by the deadline.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

RETRY_S = 0.1
CONNECT_TIMEOUT_MS = 1500
REFUSED = "Connection refused"
TIMED_OUT = 124


def _serve(server: dict[str, Any]) -> subprocess.Popen[bytes]:
    # One test and out: a server that stays would answer the next round with this round's state.
    return subprocess.Popen(
        ["iperf3", "-s", "-1", "-B", server["address"], "-p", str(server["port"])],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _measure(client: dict[str, Any], plan: dict[str, Any], end: float) -> dict[str, Any]:
    """Runs one client; a server that is not up yet is tried again until half of the time is gone."""
    argv = ["iperf3", "-J", "-c", client["remote"], "-B", client["local"], "-p", str(client["port"]),
            "-t", str(plan["seconds"]), "-O", str(plan["omit"]),
            "--connect-timeout", str(CONNECT_TIMEOUT_MS)]  # fmt: skip
    if client.get("both_ways"):
        argv.append("--bidir")
    patience = end - plan["deadline_s"] / 2
    while True:
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=max(0.1, end - time.monotonic()), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"id": client["id"], "code": TIMED_OUT, "output": ""}
        # With -J iperf3 exits with 0 even when it could not connect.
        if REFUSED not in done.stdout or time.monotonic() > patience:
            return {"id": client["id"], "code": done.returncode, "output": done.stdout or done.stderr}
        time.sleep(RETRY_S)


def probe(plan: dict[str, Any]) -> dict[str, Any]:
    """Runs the plan; servers end with their one test or at the deadline."""
    end = time.monotonic() + plan["deadline_s"]
    servers: list[subprocess.Popen[bytes]] = []
    try:
        servers.extend(_serve(server) for server in plan["servers"])
        with ThreadPoolExecutor(max_workers=max(1, len(plan["clients"]))) as pool:
            flows = list(pool.map(lambda client: _measure(client, plan, end), plan["clients"]))
        for running in servers:
            try:
                running.wait(timeout=max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
    finally:
        for running in servers:
            if running.poll() is None:
                running.kill()
            running.wait()
    return {"flows": flows}


if __name__ == "__main__":
    print(json.dumps(probe(json.loads(sys.argv[1]))))
