"""Where railbed starts ssh: each command line is answered by the replayed cluster."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shlex
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tests.support.replay import clusters, containers, dcgm, devices, facts, optics, suite
from tests.support.replay.cables import Cables
from tests.support.replay.counters import Counters
from tests.support.replay.facts import DATA, HEALTHY, template
from tests.support.replay.jobs import Jobs, Said
from tests.support.replay.node import Machine
from tests.support.replay.rails import Fabric, Session
from tests.support.replay.training import Training

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, PARTITION, STORAGE_PROBE_BYTES
from railbed.effects import remote
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError
from railbed.judge import conditions
from railbed.run import TIMED_OUT, Result
from railbed.validate import cabling, crossing, gpus, incast, lnet, patience, rendezvous, run, transfers
from railbed.validate.node import scheduler_files, test_leftovers
from railbed.validate.records import Report

NO_ROUTE = "ssh: connect to host {} port 22: No route to host\n"
LNET, NODE_LINE = template("lnetctl.txt"), template("scontrol-node.txt")
FILE_S = 0.01
"""For which one client's file of 16 MiB is written or read; built: 1.7 GB/s of one stream."""

FIO_DATA = Path(__file__).parents[2] / "unit" / "data" / "parse" / "fio"
FIO = {"create": "create", "stat": "stat", "delete": "delete"}
"""Job of fio → its recording; random reads and writes are in one."""


def _refused(verb: str) -> str:
    """The document of a job that could not open its file (built: fio 3.33, EROFS)."""
    return json.dumps(
        {"fio version": "fio-3.33", "jobs": [{"jobname": verb, "error": 30, "read": {}, "write": {}}]}
    )


SEED = 7
"""Of the schedules of pairs, so that a table knows who meets whom."""
AT_ONCE = SimpleNamespace(monotonic=lambda: 0.0)
"""In place of the clock by which orders reach nodes: what the machine of the tests does meanwhile says nothing of them."""


class Cluster:
    """Machines and what is between them; ``table`` is what differs from a healthy cluster."""

    def __init__(
        self, name: str, contract: Contract, machines: dict[str, Machine], table: Mapping[str, Any], known: dict[str, Any]
    ) -> None:  # fmt: skip
        self.name, self.contract, self.machines, self.table, self.known = (
            name,
            contract,
            machines,
            dict(table),
            known,
        )
        self.fabric = Fabric(
            contract, name, machines, self.table.get("rails", []), leaky="leaky" in self.table
        )
        self.jobs = Jobs(contract, name, self.fabric, self.table)
        self.training = Training(self.jobs, self.table)
        self.silent: set[str] = set(self.table.get("silent", []))
        self.cables = Cables(contract, machines, self.silent, self.table)
        self.asked: dict[str, int] = dict.fromkeys(machines, 0)
        self.counters = Counters(name, machines, self.table)
        self.messages: dict[str, int] = dict.fromkeys(machines, 18)
        self.orders: list[str] = []
        self.lock = Lock()

    # what railbed.effects.remote calls

    def run(
        self, argv: Sequence[str | Path], *, check: bool = True, stdin: str | bytes | None = None, **_: Any
    ) -> Result:
        """In place of ``railbed.run.run``: the last word of ssh's command line is what the node runs."""
        words = [str(word) for word in argv]
        assert words[:2] == ["ssh", "-F"] and len(words) == 5, words
        name, line = words[3], self._as_root(words[3], words[4])
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        code, out, err = self._silent(name) or self._answer(name, line, data)
        result = Result(tuple(words), code, out, err)
        if check and not result.ok:
            raise CommandError(f"`{line}` ended with {code}:\n{result.tail()}", found=code, allowed=0)
        return result

    def _as_root(self, name: str, line: str) -> str:
        """What root is to run: a login that is another one has to ask for it."""
        if self.contract.node(name).ssh.user == "root":
            return line
        *asks, text, otherwise = shlex.split(line)[:7]
        assert (asks, otherwise) == (["sudo", "-n", "--", "bash", "-c"], "||"), line
        return text

    def session(self, argv: Sequence[str]) -> Session:
        """In place of ``railbed.run.Session``."""
        name = str(argv[3])
        dies = name in self.silent or name in self.table.get("dies_in_rails", [])
        if dies:
            self.silent.add(name)
        return Session(self.fabric, name, dies)

    def _silent(self, name: str) -> Said | None:
        if name in self.silent:
            return 255, "", NO_ROUTE.format(name)
        return None

    def _answer(self, name: str, line: str, data: bytes) -> Said:
        if line == conditions.COMMAND:
            return 0, self._reading(name), ""
        if "RAILBED_EXPECTATIONS" in line:
            return self._suite(name, data)
        if line == lnet.SHOW:
            return self._lnet(name)
        if "stat -f --format=%T" in line:
            return self._client(name, line)
        if "dcgmi diag" in line:
            return dcgm.diagnosed(self.machines[name], line)
        if optics.asked(line):
            reading = min(self.counters.reading("optics", name), 1)
            return 0, optics.printed(self.machines[name], line, reading), ""
        if "/pkeys" in line:
            return 0, devices.pkeys(self.machines[name]), ""
        if "hw_counters" in line:
            return self.counters.losses(name)
        if "lldpcli" in line or "ibnetdiscover" in line:
            return self.cables.answer(name, line)
        words = shlex.split(line)
        for asked, answer in (
            ("scontrol", self._scontrol), ("squeue", self._squeue), ("df", self._df), ("mkdir", self._mkdir),
            ("find", self.jobs.take_logs), ("cat", self.training.read), ("tail", self.training.read),
            ("sha256sum", self.training.read), ("grep", self.counters.ports), ("nvidia-smi", self.counters.links),
        ):  # fmt: skip
            if words[0] == asked:
                return answer(name, words)
        if words[0] == "sbatch":
            return self.training.submitted(words, data.decode())
        if "setpriv" in words:
            return containers.answer(self.table, words)
        if words[0] == "rm":
            return 0, "", ""
        if "count" in words and "python3" in words:
            return self._count(name, words)
        if "srun" in words and data == gpus.PROBE.encode():
            return self.jobs.gpus(words)
        if "srun" in words:
            perf = any(word.endswith("_perf") for word in words)
            return self.jobs.collective(words) if perf else self.jobs.checkpoint(words)
        if words[0] == "timeout" and data == transfers.PROBE.read_bytes():
            return self._transfer(name, words)
        if words[0] == "timeout" and words[-3] == "fio":
            return self._fio(name, data.decode())
        if words == ["python3", "-"]:
            root = self.machines[name].root
            return 0, json.dumps({"files": scheduler_files.digests(root), "credential": "MUNGE:AwQ=:"}), ""
        raise AssertionError(f"nobody recorded what {name} says to {line[:200]!r}")

    def _reading(self, name: str) -> str:
        """A quiet node: its processors idle."""
        with self.lock:
            self.asked[name] += 1
            at = self.asked[name]
        now = time.monotonic()
        return f"{now} 1.0\n--\n{time.time()}\n--\ncpu {at} 0 {at} {at * 100} 0 0 0 0 0 0\n--\nsome avg10=0.00 total=0\n"

    def _suite(self, name: str, data: bytes) -> Said:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as bundle:
            file = bundle.extractfile("expectations.json")
            assert file is not None
            text = file.read()
        broken = self.table.get("suite", {}).get(name)
        if broken is not None:
            return int(broken.get("code", 0)), broken.get("out", ""), broken.get("err", "")
        machine = self.machines[name]
        # The same node and the same question have the same answer: only what a table changes is looked at anew.
        key = hashlib.sha256(
            text + json.dumps(machine.facts, sort_keys=True).encode() + name.encode()
        ).hexdigest()
        if key not in self.known:
            machine.want = json.loads(text)
            self.known[key] = suite.records(machine, machine.want)
        return 0, json.dumps(self.known[key]), ""

    def _scontrol(self, name: str, words: list[str]) -> Said:
        if words[1:3] == ["show", "node"]:
            return 0, "".join(self._node_line(one) for one in self.machines if one != "ctl0"), ""
        if words[1:3] == ["show", "reservation"]:
            names = ",".join(one for one in self.machines if one != "ctl0")
            return (
                0,
                f"ReservationName={ACCEPTANCE_RESERVATION} Nodes={names} Users=root Flags=MAINT,IGNORE_JOBS\n",
                "",
            )
        if words[1:3] == ["show", "job"]:
            return self.training.state(words[-1])
        self.orders.append(" ".join(words))
        return 0, "", ""

    def _node_line(self, name: str) -> str:
        known = self.table.get("slurm", {}).get(name, {})
        reason = f" Reason={known['reason']} [root@2026-11-30T08:00:00]" if "reason" in known else ""
        line = NODE_LINE.substitute(
            node=name, pool="h100", gpus=known.get("gpus", facts.GPUS), state=known.get("state", "IDLE+MAINTENANCE+RESERVED"),
            partition=PARTITION, reason=reason,
        )  # fmt: skip
        return "" if known.get("unknown") else line

    def _squeue(self, name: str, words: list[str]) -> Said:
        return 0, self.table.get("squeue", ""), ""

    def _df(self, name: str, words: list[str]) -> Said:
        return 0, "      Avail\n2000000000000000\n", ""

    def _mkdir(self, name: str, words: list[str]) -> Said:
        return 0, "", ""

    def _client(self, name: str, line: str) -> Said:
        state = self._state(name, line)
        table = self.machines[name].read("/proc/mounts") or ""
        said = "silent" if state == "hangs" else "0 lustre"
        return 0, f"python 0 \nstat {said}\n{table}", ""

    def _state(self, name: str, text: str) -> str:
        """How a client is to the filesystem that a command speaks of."""
        state: str = self.machines[name].facts[
            "data" if " /data" in f" {text}".replace("=", " ") else "lustre"
        ]
        return state

    def _transfer(self, name: str, words: list[str]) -> Said:
        verb, path = words[words.index("-") + 1 :][:2]
        state = self._state(name, path)
        if state == "read only" and verb == "write":
            return 1, "", f"OSError: [Errno 30] Read-only file system: '{path}'\n"
        with self.lock:
            self.messages[name] += 0 if state == "over tcp" else 40
        digest = hashlib.sha256((path if state != "other bytes" else path + name).encode()).hexdigest()
        slow = 20 if state == "slow" else 1
        return 0, json.dumps({"seconds": FILE_S * slow, "bytes": STORAGE_PROBE_BYTES, "sha256": digest}), ""

    def _fio(self, name: str, job: str) -> Said:
        """What fio printed on one of four clients of a MooseFS, as this client does of it."""
        state = self._state(name, job)
        verb = next(one for one in (*FIO, "write") if f"[{one}]" in job)
        if state == "read only" and verb != "stat":
            return (
                1,
                f"fio: pid=0, err=30/file:filesetup.c:234, func=open, error=Read-only file system\n{_refused(verb)}",
                "",
            )
        if name in self.table.get("no_fio", []):
            return 127, "", "timeout: failed to run command ‘fio’: No such file or directory\n"
        found = json.loads((FIO_DATA / f"moosefs-{FIO.get(verb, 'random')}.json").read_text())
        recorded = {} if "=/data/" in job else self.table.get("fio", {}).get(name, {})
        factor = recorded.get(verb, 0.05 if state == "slow" else 1.0)
        for one in found["jobs"]:
            for way in ("read", "write"):
                one[way]["iops"] *= factor
        return 0, json.dumps(found), ""

    def _lnet(self, name: str) -> Said:
        base = HEALTHY[self.name]
        moved = self.messages[name]
        planned = self.contract.node(name).storage
        nid = planned.address.split("/")[0] if planned else base["nic"]
        return (
            0,
            LNET.substitute(
                tcp=82, network=base["network"], nid=nid, interface=base["interface"], moved=moved
            ),
            "",
        )

    def _count(self, name: str, words: list[str]) -> Said:
        if name in self.table.get("no_counters", []):
            return TIMED_OUT, "", "stopped after 20 s"
        return 0, self.fabric.count(name, json.loads(words[words.index("count") + 1])), ""


class Site:
    """Healthy clusters of one kind, and broken ones made of them; what is the same is made once."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.contract: Contract = getattr(clusters, name)(folder)
        self.known: dict[str, Any] = {}
        self.machines = {
            one.name: self._machine(one.name, {}, folder / "healthy") for one in self.contract.nodes
        }
        self.seen = self.machines["h100-0"].tree.observation()
        """What converging saw of each node."""
        self.broken = 0

    def _machine(self, name: str, changes: dict[str, Any], folder: Path) -> Machine:
        number = [one.name for one in self.contract.nodes].index(name)
        found = facts.changed(facts.healthy(self.name), changes)
        same = self.machines[name] if changes and facts.only_said(changes) else None
        return Machine(folder / name, self.contract.node(name), self.name, found, number, as_on=same)

    def cluster(self, table: Mapping[str, Any] | None = None) -> Cluster:
        """The cluster with what a table changes: ``nodes`` (name or ``all`` → facts), and the keys of ``Cluster``."""
        table = table or {}
        self.broken += 1
        folder, made = self.folder / f"broken-{self.broken}", dict(self.machines)
        for names, changes in table.get("nodes", {}).items():
            chosen = re.split(r",\s*", names)
            for name in self.machines if names == "all" else chosen:
                if name != "ctl0" or names != "all":
                    made[name] = self._machine(name, changes, folder)
        return Cluster(self.name, self.contract, made, table, self.known)


def tables(name: str) -> list[dict[str, Any]]:
    """The degraded clusters of a kind."""
    found: list[dict[str, Any]] = yaml.safe_load((DATA / f"degraded-{name}.yaml").read_text())
    return found


def validated(site: Site, cluster: Cluster, work: Workspace, patch: pytest.MonkeyPatch) -> Report:
    """Runs the production stage with the cluster in place of ssh, and pauses of no length."""
    patch.setattr(patience, "MEASURE_PAUSE_S", 0.0)
    patch.setattr(patience, "MEASURE_BUDGET_S", 0.0)
    patch.setattr(test_leftovers, "PAUSE_S", 0.0)
    patch.setattr(cabling, "LLDP_HEARD_S", 0.0)
    patch.setattr(rendezvous, "time", AT_ONCE)
    patch.setattr(crossing, "randbelow", lambda _: SEED)
    patch.setattr(incast, "randbelow", lambda _: SEED)
    patch.setattr(remote, "run", cluster.run)
    patch.setattr(remote, "Session", cluster.session)
    clusters.remember(cluster.contract, work, site.seen)
    return run(cluster.contract, work)


def degraded(site: Site, table: Mapping[str, Any], folder: Path, patch: pytest.MonkeyPatch) -> Report:
    """The report on a cluster with what a table changes."""
    return validated(site, site.cluster(table), Workspace(folder, "replay"), patch)
