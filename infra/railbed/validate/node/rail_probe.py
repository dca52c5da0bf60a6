"""One node's part in one round of rail measurements: servers and clients of a program that measures one rail each.

Started by railbed's rendezvous, which sends one JSON document per line and reads one per line::

    → {"program": "iperf3", "servers": [{"address": "10.91.3.11", "port": 35203, "once": false, "argv": ["iperf3", …]}],
       "clients": [{"id": "3:h100-1", "partner": "h100-1", "argv": ["iperf3", …]}],
       "rails": {"3": {"netdevs": ["rail3"], "devices": []}}, "idle_s": 0.3, "deadline_s": 12}
    ← {"ready": true, "problems": [], "idle": {"3": {"carrier", "tx", "rx"}}, "idle_s": 0.31}
    → {"go": true, "absent": ["h100-4"]}        clients start; those of absent partners do not
    ← {"started": true}
    ← {"flows": [{"id", "code", "output", "began_s", "ended_s"}], "rails": {"3": {"carrier", "tx", "rx"}}}
    → {"stop": true}                            servers end
    ← {"stopped": true, "problems": []}

A probe is ready when its servers listen; ``problems`` names those that do not. A server with ``once`` ends after its first
test. Words with ``gid`` (an RDMA device, and an IPv4 address or none) get ``-x`` with the index of that RoCE v2 GID, and the
traffic class of jobs; those with ``device`` run on the processors beside that card; a client with ``remote`` gets it as its last
word. ``output`` is the program's own; seconds count from ``go``; ``tx`` and ``rx`` are bytes that the rail's interfaces and RDMA
ports counted: in ``idle`` before anything was started, in ``rails`` from ``go`` until the clients ended. Nothing outlives the
probe, and it ends when its input does.

With the words ``count DOCUMENT`` it prints what the parts of ``DOCUMENT`` (as ``rails`` above) have counted until now; a part
with an ``address`` is the interface that has it.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Optional

POLL_S = 0.02
TIMED_OUT = 124
NOT_STARTED = 127
LAST_BYTES = 2000
LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""
ANY = "00000000"
INFINIBAND = "/sys/class/infiniband"
NCCL_CONF = "/etc/nccl.conf"
SIOCGIFADDR, NAME_BYTES, ADDRESS_AT = 0x8915, 15, 20
"""ioctl that asks for an interface's IPv4 address (netdevice(7)), the length of a name, and where the answer has it."""
WORD_BYTES = 4
"""Port counters of data count in words of four bytes (InfiniBand Architecture 1.3, 16.1.3.5; Linux, sysfs-class-infiniband)."""

Document = Dict[str, Any]


def _socket(address: str, port: int) -> str:
    """``address:port`` as /proc/net/tcp prints it: bytes of the address in reverse order."""
    parts = reversed([int(part) for part in address.split(".")])
    return "".join(f"{part:02X}" for part in parts) + f":{port:04X}"


def _listening() -> List[str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == LISTEN]


def _gid_index(gid: Document) -> Optional[str]:
    """Index of the first RoCE v2 GID of IPv4 on port 1 of a device, where an ``address`` is given of that; None without one."""
    port = Path(INFINIBAND, gid["device"], "ports", "1")
    for entry in sorted((port / "gids").glob("*"), key=lambda path: int(path.name)):
        if _read(str(port / "gid_attrs" / "types" / entry.name)) != "RoCE v2":
            continue
        mapped = ipaddress.IPv6Address(_read(str(entry)) or "::").ipv4_mapped
        if mapped is not None and gid["address"] in ("", str(mapped)):
            return entry.name
    return None


def _traffic_class() -> List[str]:
    """That of jobs on this node, so that what is measured is what the switches keep lossless."""
    found = re.search(r"^NCCL_IB_TC=(\d{1,3})\s*$", _read(NCCL_CONF), re.M)
    return [f"--tclass={found[1]}"] if found else []


def _words(document: Document) -> List[str]:
    """The command line. Raises LookupError where its GID is not there."""
    words = list(document["argv"])
    gid = document.get("gid")
    if gid:
        index = _gid_index(gid)
        if index is None:
            raise LookupError(f"{gid['device']} has no RoCE v2 GID of {gid['address'] or 'IPv4'}")
        words += ["-x", index, *_traffic_class()]
    # Beside the card: on the other socket data cross the processors' link.
    near = _read(f"{INFINIBAND}/{document['device']}/device/local_cpulist") if "device" in document else ""
    bound = ["taskset", "-c", near] if near and shutil.which("taskset") else []
    return bound + words + ([document["remote"]] if "remote" in document else [])


class Server:
    """One server; ``problem`` says why it was not started."""

    def __init__(self, document: Document) -> None:
        address, port = document["address"], document["port"]
        self.name, self.once, self.program = f"{address}:{port}", document["once"], document["argv"][0]
        self.sockets = {_socket(address, port), f"{ANY}:{port:04X}"}
        self.problem, self.process = "", None  # type: str, Optional[subprocess.Popen[bytes]]
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server
        try:
            self.process = subprocess.Popen(
                _words(document),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.said,
            )
        except LookupError as absent:
            self.problem = str(absent)

    def ended(self) -> str:
        """Why it does not serve any more; empty where it does, or has done its one test."""
        if self.process is None:
            return self.problem
        code = self.process.poll()
        if code is None or (self.once and code == 0):
            return ""
        self.said.seek(0)
        last = self.said.read()[-LAST_BYTES:].decode(errors="replace").strip().splitlines()[-1:]
        return f"its {self.program} ended with {code}" + "".join(f": {line}" for line in last)

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _wait(servers: List[Server], seconds: float) -> None:
    """Until every server listens or has ended, at most so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        listening = set(_listening())
        if all(server.ended() or server.sockets & listening for server in servers):
            return
        time.sleep(POLL_S)


def _ended(servers: List[Server]) -> List[Document]:
    """Servers that do not serve any more."""
    return [{"address": server.name, "problem": server.ended()} for server in servers if server.ended()]


def _silent(servers: List[Server]) -> List[Document]:
    """Servers that do not serve, before the first test; between two tests iperf3 does not listen for a moment."""
    listening = set(_listening())
    return _ended(servers) + [
        {"address": server.name, "problem": f"its {server.program} does not listen"}
        for server in servers
        if not server.ended() and not server.sockets & listening
    ]


def _measure(client: Document, plan: Document, go: float) -> Document:
    """One client's run, with its times."""
    began = time.monotonic() - go
    try:
        done = subprocess.run(
            _words(client), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=plan["deadline_s"], check=False,
        )  # fmt: skip
        code, output = done.returncode, done.stdout
        # A table says nothing of an error; iperf3 writes JSON, with its error in it.
        if not output or (code and not output.startswith("{")):
            output += done.stderr
    except LookupError as absent:
        code, output = NOT_STARTED, str(absent)
    except subprocess.TimeoutExpired:
        code, output = TIMED_OUT, f"it did not end within {plan['deadline_s']} s"
    ended = time.monotonic() - go
    return {"id": client["id"], "code": code, "output": output, "began_s": began, "ended_s": ended}


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:  # an interface that is down has no carrier to read
        return ""


def _interface(address: str) -> List[str]:
    """The interface that has an IPv4 address; none where no one has it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:NAME_BYTES])
            try:
                answer = fcntl.ioctl(asked.fileno(), SIOCGIFADDR, request)
            except OSError:  # it has none
                continue
            if socket.inet_ntoa(answer[ADDRESS_AT : ADDRESS_AT + 4]) == address:
                return [name]
    return []


def _carrier(rail: Document) -> Optional[bool]:
    """Whether all of a rail's RDMA ports are active, or all of its interfaces have carrier; None where a port does not say."""
    if rail["devices"]:
        states = [_read(f"{INFINIBAND}/{name}/ports/1/state") for name in rail["devices"]]
        return None if "" in states else all(state.startswith("4:") for state in states)
    return all(_read(f"/sys/class/net/{name}/carrier") == "1" for name in rail["netdevs"])


def _bytes(rail: Document, direction: str) -> Optional[int]:
    """What a rail's interfaces and RDMA ports counted; None where nothing counts. An InfiniBand port counts IP packets too."""
    names = rail["netdevs"] + (_interface(rail["address"]) if "address" in rail else [])
    counted = []
    for device in rail["devices"]:
        port = f"{INFINIBAND}/{device}/ports/1"
        words = _read(f"{port}/counters/port_{'xmit' if direction == 'tx' else 'rcv'}_data")
        # EFA has no port counters (Linux, drivers/infiniband/hw/efa/efa_verbs.c).
        own = _read(f"{port}/hw_counters/{direction}_bytes")
        counted += [int(words) * WORD_BYTES] if words else []
        counted += [int(own)] if own else []
        if _read(f"{port}/link_layer") == "InfiniBand":
            names = []
    read = [_read(f"/sys/class/net/{name}/statistics/{direction}_bytes") for name in names]
    counted += [int(number) for number in read if number]
    return sum(counted) if counted else None


def _rails(plan: Document) -> Dict[str, Document]:
    """Carrier and byte counters of each rail; one that does not say is left out."""
    found = {
        rail: {"carrier": _carrier(parts), "tx": _bytes(parts, "tx"), "rx": _bytes(parts, "rx")}
        for rail, parts in plan["rails"].items()
    }
    return {rail: one for rail, one in found.items() if None not in one.values()}


def _since(before: Dict[str, Document], after: Dict[str, Document]) -> Dict[str, Document]:
    """What the counters grew by; carrier where there was one at both times."""
    return {
        rail: {
            "carrier": before[rail]["carrier"] and now["carrier"],
            "tx": now["tx"] - before[rail]["tx"],
            "rx": now["rx"] - before[rail]["rx"],
        }
        for rail, now in after.items()
        if rail in before
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
    if shutil.which(plan["program"]) is None:
        raise SystemExit(f"{plan['program']} is not installed")
    servers: List[Server] = []
    try:
        servers.extend(Server(one) for one in plan["servers"])
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
        # One that has served its client ends with it, well or not: the client says how.
        _say({"stopped": True, "problems": _ended([server for server in servers if not server.once])})
    finally:
        for server in servers:
            server.stop()


def main() -> None:
    """Reads the plan and probes; a rendezvous that is never finished ends by itself."""
    if sys.argv[1:2] == ["count"]:
        print(json.dumps(_rails({"rails": json.loads(sys.argv[2])})))
        return
    plan = _hear()
    if plan is None:
        return
    signal.signal(signal.SIGALRM, _expire)
    signal.alarm(int(plan["limit_s"]))
    probe(plan)


if __name__ == "__main__":
    main()
