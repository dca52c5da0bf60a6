"""The shared filesystem: rates of each client, its data servers, copies that a cold client reads."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from railbed.contract import Filesystem
from railbed.defaults import STORAGE_PROBE_BYTES, STORAGE_TIMEOUT_S
from railbed.effects import node_json
from railbed.model.claims import Verdict
from railbed.validate import moosefs
from railbed.validate.answers import against_floor, judged
from railbed.validate.bench import Bench

PROBE = Path(__file__).parent / "node" / "storage_probe.py"
WRITE, READ, SERVERS = "storage.write", "storage.read", "storage.servers"
PATTERN = "storage.*"
MBYTE = 1e6


def run(bench: Bench) -> None:
    """Measures one client after the other, so that none slows the next; each reads what another one wrote."""
    if not any(bench.scope.asks(claim) for claim in (WRITE, READ, SERVERS)):
        return
    filesystem = bench.contract.filesystems[0]
    clients = [
        n.name for n in bench.contract.with_role("compute", "spare") if n.name not in bench.unreachable
    ]
    if len(clients) < 2:
        bench.answers.why(
            PATTERN, f"{len(clients)} clients can be reached, needs 2: one writes, another reads"
        )
        return
    bench.say(f"storage: {filesystem.mount} from {len(clients)} clients")
    folder = f"{filesystem.mount}/.railbed-probe-{time.time_ns():x}"
    made = bench.remote.run(clients[0], ["mkdir", folder], timeout_s=STORAGE_TIMEOUT_S, check=False)
    if not made.ok:
        told = f"{filesystem.mount} cannot be written on {clients[0]}: {made.tail()}"
        for question in bench.scope.get(PATTERN):
            bench.answers.add(
                judged(
                    question, Verdict.FAIL, told, detail={"parts": ["storage"], "guilty_nodes": [clients[0]]}
                )
            )
        return
    try:
        _measure(bench, filesystem, clients, folder)
    finally:
        bench.remote.run(clients[0], ["rm", "-rf", folder], timeout_s=STORAGE_TIMEOUT_S, check=False)


def _measure(bench: Bench, filesystem: Filesystem, clients: list[str], folder: str) -> None:
    writes = {
        name: _ask(bench, name, "write", f"{folder}/{name}", str(STORAGE_PROBE_BYTES), str(seed))
        for seed, name in enumerate(clients)
    }
    reads = {
        name: _ask(bench, name, "read", f"{folder}/{clients[(i + 1) % len(clients)]}")
        for i, name in enumerate(clients)
    }
    evidence = bench.keep("storage/rates.json", {"writes": writes, "reads": reads})
    _rate(bench, WRITE, writes, evidence)
    _rate(bench, READ, reads, evidence)
    if bench.scope.asks(SERVERS):
        unread = [str(one["unproven"]) for one in [*writes.values(), *reads.values()] if "unproven" in one]
        _servers(bench, filesystem, clients, folder, differing(clients, writes, reads), unread)


Reply = dict[str, Any]


class Transfer(node_json.Reply):
    """What the probe says of one file."""

    seconds: float = Field(gt=0)
    bytes: int = Field(ge=0, le=STORAGE_PROBE_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


TRANSFER = TypeAdapter(Transfer)


def _ask(bench: Bench, node: str, *arguments: str) -> Reply:
    """What the probe on a node said; ``error`` where it failed, ``unproven`` where nobody can read its answer."""
    argv = ["timeout", "-k", "2", str(int(STORAGE_TIMEOUT_S)), "python3", "-", *arguments]
    result = bench.remote.run(
        node, argv, stdin=PROBE.read_text(), timeout_s=STORAGE_TIMEOUT_S + 5, check=False
    )
    if not result.ok:
        return {"error": result.tail() or f"ended with {result.returncode}"}
    try:
        return node_json.read(result.stdout, TRANSFER, node).model_dump()
    except node_json.Unreadable as wrong:
        return {"unproven": wrong.message}


def rate_mbytes_per_s(reply: Reply) -> float | None:
    """MB/s of one file, or None without a result."""
    seconds = reply.get("seconds")
    return reply["bytes"] / MBYTE / seconds if isinstance(seconds, float) and seconds > 0 else None


def _rate(bench: Bench, claim: str, replies: dict[str, Reply], evidence: str) -> None:
    for question in bench.scope.get(claim):
        rates = {name: rate_mbytes_per_s(reply) for name, reply in replies.items()}
        known = {name: rate for name, rate in rates.items() if rate is not None}
        unread = [str(one["unproven"]) for one in replies.values() if "unproven" in one]
        broken = [f"{name}: {one['error']}" for name, one in replies.items() if "error" in one]
        if broken:
            told = "; ".join(broken)
            detail = {
                "parts": ["storage"],
                "guilty_nodes": [n for n, one in replies.items() if "error" in one],
            }
            bench.answers.add(judged(question, Verdict.FAIL, told, evidence=evidence, detail=detail))
            continue
        if unread:
            told = "; ".join(unread)
            bench.answers.add(judged(question, Verdict.UNPROVEN, told, evidence=evidence))
            continue
        slowest = min(known, key=lambda name: known[name])
        bench.answers.add(
            against_floor(
                question, known[slowest], evidence=evidence, detail={"clients": known, "slowest": slowest}
            )
        )


def differing(clients: list[str], writes: dict[str, Reply], reads: dict[str, Reply]) -> list[str]:
    """What was read differently from how it was written, one line each."""
    told = []
    for i, reader in enumerate(clients):
        writer = clients[(i + 1) % len(clients)]
        if "unproven" in reads[reader] or "unproven" in writes[writer]:
            continue
        if reads[reader].get("sha256") is None or reads[reader].get("sha256") != writes[writer].get("sha256"):
            why = reads[reader].get("error") or "other bytes"
            told.append(f"{reader} reads the file of {writer} wrongly ({why})")
    return told


def _servers(
    bench: Bench, filesystem: Filesystem, clients: list[str], folder: str, wrong: list[str], unread: list[str]
) -> None:
    """Every data server serves, every chunk has its copies, cold clients read what was written."""
    if filesystem.kind != "moosefs":
        bench.answers.why(SERVERS, f"no probe for filesystem kind {filesystem.kind}")
        return
    master = bench.node(filesystem.metadata_server)
    listed = bench.remote.run(
        master.name, ["mfscli", "-n", "-p", "-s", "|", "-H", master.address, "-SCS"],
        timeout_s=STORAGE_TIMEOUT_S, check=False,
    )  # fmt: skip
    files = " ".join(shlex.quote(f"{folder}/{name}") for name in clients)
    info = bench.remote.run(clients[0], f"mfsfileinfo {files}", timeout_s=STORAGE_TIMEOUT_S, check=False)
    evidence = bench.keep(
        "storage/servers.txt", f"{listed.stdout}\n{listed.stderr}\n{info.stdout}\n{info.stderr}"
    )
    servers = moosefs.servers(listed.stdout)
    copies = moosefs.fewest_copies(info.stdout)
    # A run of some nodes judges their servers: another one's fault must not condemn them.
    judged_servers = [n for n in filesystem.data_servers if not bench.scope.only or n in bench.scope.only]
    names = {bench.node(name).address: name for name in judged_servers or filesystem.data_servers}
    dead = [name for address, name in names.items() if not servers.get(address, False)]
    question = bench.scope.get(SERVERS)[0]
    if not servers:
        told = f"the metadata server on {master.name} lists no data servers: {listed.tail()}"
        verdict = Verdict.UNPROVEN if listed.ok else Verdict.FAIL
        guilty = [master.name]
        measured = None
    else:
        problems = [f"no data server on {name}" for name in dead] + wrong
        problems += _too_few(copies, filesystem.copies)
        alive = len(names) - len(dead)
        good = f"{alive} data servers serve, {copies} copies each, cold clients read right"
        told, guilty, measured = "; ".join(problems) or good, dead, float(alive)
        verdict = Verdict.FAIL if problems else Verdict.PASS
        if unread and not problems:
            verdict, told = Verdict.UNPROVEN, "; ".join(unread)
    detail = {"parts": ["storage"], "guilty_nodes": guilty, "servers": servers, "copies": copies}
    bench.answers.add(judged(question, verdict, told, measured=measured, evidence=evidence, detail=detail))


def _too_few(copies: int | None, wanted: int) -> list[str]:
    if copies is None:
        return ["mfsfileinfo says nothing about copies"]
    return [f"a chunk has {copies} of {wanted} copies"] if copies < wanted else []
