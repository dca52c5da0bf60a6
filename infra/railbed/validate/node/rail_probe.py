"""One node's part in one round of rail measurements: iperf3 servers and clients confined to rail addresses.

Started by railbed's rendezvous, which sends one JSON document per line and reads one per line::

    → {"servers": [{"address": "10.91.3.11", "port": 35203}],
       "clients": [{"id": "3:h100-1", "partner": "h100-1", "local": "10.91.3.11", "remote": "10.91.3.12",
                    "port": 35203, "both_ways": true}],
       "netdevs": {"3": ["rail3"]}, "seconds": 2, "omit": 1, "idle_s": 0.3, "deadline_s": 12}
    ← {"ready": true, "problems": [], "idle": {"3": {"carrier", "tx", "rx"}}, "idle_s": 0.31}
    → {"go": true, "absent": ["h100-4"]}        clients start; those of absent partners do not
    ← {"started": true}
    ← {"flows": [{"id", "code", "output", "began_s", "ended_s"}], "rails": {"3": {"carrier", "tx", "rx"}}}
    → {"stop": true}                            servers end
    ← {"stopped": true, "problems": []}

A probe is ready when its servers listen; ``problems`` names those that do not. ``output`` is iperf3's own JSON; seconds count
from ``go``; ``tx`` and ``rx`` are bytes that the rail's interfaces counted: in ``idle`` before anything was started, in ``rails``
from ``go`` until the clients ended. Nothing outlives the probe, and it ends when its input does.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Optional

POLL_S = 0.02
CONNECT_TIMEOUT_MS = 5000
"""SYN is sent at 0, 1 and 3 s (tcp(7)): two repeats before a path counts as closed."""
TIMED_OUT = 124
LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""

Document = Dict[str, Any]


def _socket(address: str, port: int) -> str:
    """``address:port`` as /proc/net/tcp prints it: bytes of the address in reverse order."""
    parts = reversed([int(part) for part in address.split(".")])
    return "".join(f"{part:02X}" for part in parts) + f":{port:04X}"


def _listening() -> List[str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == LISTEN]


class Server:
    """One iperf3 server on one rail address."""

    def __init__(self, address: str, port: int) -> None:
        self.name = f"{address}:{port}"
        self.socket = _socket(address, port)
        self.process = subprocess.Popen(
            ["iperf3", "-s", "-B", address, "-p", str(port)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _wait(servers: List[Server], seconds: float) -> None:
    """Until every server listens or has ended, at most so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        listening = _listening()
        if all(s.process.poll() is not None or s.socket in listening for s in servers):
            return
        time.sleep(POLL_S)


def _ended(servers: List[Server]) -> List[Document]:
    """Servers that have ended."""
    return [
        {"address": server.name, "problem": f"its iperf3 ended with {server.process.returncode}"}
        for server in servers
        if server.process.poll() is not None
    ]


def _silent(servers: List[Server]) -> List[Document]:
    """Servers that do not serve, before the first test; between two tests iperf3 does not listen for a moment."""
    listening = _listening()
    return _ended(servers) + [
        {"address": server.name, "problem": "its iperf3 does not listen"}
        for server in servers
        if server.process.poll() is None and server.socket not in listening
    ]


def _measure(client: Document, plan: Document, go: float) -> Document:
    """One client's run, with its times."""
    argv = ["iperf3", "-J", "-c", client["remote"], "-B", client["local"], "-p", str(client["port"]),
            "-t", str(plan["seconds"]), "-O", str(plan["omit"]),
            "--connect-timeout", str(CONNECT_TIMEOUT_MS)]  # fmt: skip
    if client.get("both_ways"):
        argv.append("--bidir")
    began = time.monotonic() - go
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=plan["deadline_s"], check=False,
        )  # fmt: skip
        code, output = done.returncode, done.stdout or done.stderr
    except subprocess.TimeoutExpired:
        code, output = TIMED_OUT, ""
    ended = time.monotonic() - go
    return {"id": client["id"], "code": code, "output": output, "began_s": began, "ended_s": ended}


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:  # an interface that is down has no carrier to read
        return ""


def _rails(plan: Document) -> Dict[str, Document]:
    """Carrier and byte counters of each rail; a rail has carrier where all of its interfaces have."""
    found = {}
    for rail, netdevs in plan["netdevs"].items():
        found[rail] = {
            "carrier": all(_read(f"/sys/class/net/{name}/carrier") == "1" for name in netdevs),
            **{
                way: sum(int(_read(f"/sys/class/net/{name}/statistics/{way}_bytes") or 0) for name in netdevs)
                for way in ("tx", "rx")
            },
        }
    return found


def _since(before: Dict[str, Document], after: Dict[str, Document]) -> Dict[str, Document]:
    """What the counters grew by; carrier where there was one at both times."""
    return {
        rail: {
            "carrier": before[rail]["carrier"] and now["carrier"],
            "tx": now["tx"] - before[rail]["tx"],
            "rx": now["rx"] - before[rail]["rx"],
        }
        for rail, now in after.items()
    }


def _say(document: Document) -> None:
    print(json.dumps(document), flush=True)


def _hear() -> Optional[Document]:
    """The next document; None at the end of input."""
    line = sys.stdin.readline()
    return json.loads(line) if line.strip() else None


def _expire(*_: object) -> None:
    raise SystemExit("the rendezvous did not come to its end in time")


def probe(plan: Document) -> None:
    """Serves and measures as the documents say."""
    if shutil.which("iperf3") is None:
        raise SystemExit("iperf3 is not installed")
    servers: List[Server] = []
    try:
        servers.extend(Server(one["address"], one["port"]) for one in plan["servers"])
        _wait(servers, plan["deadline_s"])
        before, began = _rails(plan), time.monotonic()
        time.sleep(plan["idle_s"])
        idle, idle_s = _since(before, _rails(plan)), time.monotonic() - began
        _say({"ready": True, "problems": _silent(servers), "idle": idle, "idle_s": idle_s})
        order = _hear()
        if order is None:
            return
        go = time.monotonic()
        _say({"started": True})
        clients = [client for client in plan["clients"] if client["partner"] not in order["absent"]]
        before = _rails(plan)
        with ThreadPoolExecutor(max_workers=max(1, len(clients))) as pool:
            flows = list(pool.map(lambda client: _measure(client, plan, go), clients))
        _say({"flows": flows, "rails": _since(before, _rails(plan))})
        _hear()
        _say({"stopped": True, "problems": _ended(servers)})
    finally:
        for server in servers:
            server.stop()


def main() -> None:
    """Reads the plan and probes; a rendezvous that is never finished ends by itself."""
    plan = _hear()
    if plan is None:
        return
    signal.signal(signal.SIGALRM, _expire)
    signal.alarm(int(plan["limit_s"]))
    probe(plan)


if __name__ == "__main__":
    main()
