"""What programs under the scheduler print: nccl-tests with NCCL's own log, and the probe of checkpoints."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatchcase
from typing import Any

from tests.support.replay import gpu_programs
from tests.support.replay.facts import HEALTHY, template
from tests.support.replay.rails import Fabric

from railbed.contract import Contract
from railbed.laws.bandwidth import COLLECTIVES
from railbed.validate.collective_programs import NETWORK_ONLY

NCCL = {name: template(f"nccl-{name}.log") for name in ("infiniband", "efa", "sockets")}
RANKS = 8
LATENCY_BYTES = 24 << 20
"""A message takes as long as so many bytes more would: 97 us at 487 GB/s over 16 ranks, where p5 was seen to take 69 (8 B)."""
HEAD = """# nccl-tests version 2.16.3 nccl-headers=22707 nccl-library=22707
# Collective test starting: {op}_perf
# nThread 1 nGpus 1 minBytes {least} maxBytes {most} step: 4(factor) warmup iters: 5 iters: 20 agg iters: 1 validation: 1 graph: 0
#
# Using devices
"""
COLUMNS = """#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)
"""


def _sizes(words: list[str]) -> list[int]:
    """The sizes that -b, -e and -f ask for."""
    least, most, factor = (int(words[words.index(option) + 1]) for option in ("-b", "-e", "-f"))
    found = [least]
    while found[-1] * factor <= most:
        found.append(found[-1] * factor)
    return found


Said = tuple[int, str, str]
"""Exit status, standard output, standard error."""


class Jobs:
    """Jobs of a cluster. ``rules``: ``{op, node, nodes, least, share, below | wrong | code, err, cut, logged}``: of runs with a
    node, with all ``nodes`` named, over ``least`` nodes or more; a share is of messages ``below`` so many bytes only.
    ``network``: node → how NCCL runs."""

    def __init__(self, contract: Contract, cluster: str, fabric: Fabric, table: dict[str, Any]) -> None:
        self.contract, self.cluster, self.fabric = contract, cluster, fabric
        self.rules: list[dict[str, Any]] = table.get("collectives", [])
        self.in_nodes: list[dict[str, Any]] = table.get("inside", [])
        """The same of nodes by themselves, ``{op, node, share, below | wrong | code, err, out, cut}``; node ``all`` is each.
        Those with ``network`` are of a node whose GPUs have nothing but cards between them."""
        self.network: dict[str, str] = table.get("nccl", {})
        self.unused: dict[str, list[int]] = table.get("unused_rails", {})
        self.gpu_rules: list[dict[str, Any]] = table.get("gpus", [])
        self.unread: list[str] = table.get("no_logs", [])
        self.moved: dict[str, float] = table.get("moved", {})
        """Claim → share of what was bought that all nodes together move."""
        self.logs: dict[tuple[str, str], str] = {}
        """Node and NCCL_DEBUG_FILE → what NCCL wrote there."""

    def collective(self, words: list[str]) -> Said:
        """One start of one program of nccl-tests."""
        if "--mpi=none" in words:
            return self.inside(words)
        named = {word.partition("=")[0]: word.partition("=")[2] for word in words if "=" in word}
        nodes = named["--nodelist"].split(",")
        program = next(word for word in words if word.endswith("_perf"))
        op, sizes = program.rpartition("/")[2].removesuffix("_perf"), _sizes(words)
        assert op in COLLECTIVES and "--mpi=pmix" in words and named["--ntasks-per-node"] == str(RANKS)
        rule = next((one for one in self.rules if self._speaks(one, op, nodes)), {})
        for name in nodes:
            self.logs[name, named["NCCL_DEBUG_FILE"]] = (
                self.nccl_log(name, nodes) if rule.get("logged", True) else ""
            )
        if rule.get("code"):
            return int(rule["code"]), rule.get("out", ""), rule.get("err", "")
        timed, warm = (int(words[words.index(option) + 1]) for option in ("-n", "-w"))
        self.fabric.moved(nodes, sum(sizes) * 2 * (timed + 2) + warm * (sizes[0] + sizes[-1]), self.unused)
        text = self._table(op, sizes, nodes, rule)
        return 0, text[: int(len(text) * rule.get("cut", 1.0))], ""

    def inside(self, words: list[str]) -> Said:
        """One process with all GPUs on each node by itself, labelled by task (srun(1), --label)."""
        nodes = next(word for word in words if word.startswith("--nodelist=")).partition("=")[2].split(",")
        program = next(word for word in words if word.endswith("_perf"))
        op, sizes = program.rpartition("/")[2].removesuffix("_perf"), _sizes(words)
        assert "--label" in words and "--ntasks-per-node=1" in words and f"--gpus-per-node={RANKS}" in words
        assert words[words.index("-g") + 1] == str(RANKS) and words[words.index("env") :][1] == "-i"
        by_cards, code, said, err = set(NETWORK_ONLY) <= set(words), 0, "", ""
        for task, name in enumerate(nodes):
            rule = next((one for one in self.in_nodes if self._inside(one, name, op, by_cards=by_cards)), {})
            code, err = max(code, int(rule.get("code", 0))), err + rule.get("err", "")
            text = (
                rule.get("out", "")
                if rule.get("code")
                else self._table(op, sizes, [name], rule, by_cards=by_cards)
            )
            text = text[: int(len(text) * rule.get("cut", 1.0))]
            said += "".join(f"{task}: {line}\n" for line in text.splitlines())
        return code, said, err

    @staticmethod
    def _inside(rule: dict[str, Any], name: str, op: str, *, by_cards: bool) -> bool:
        """Whether a rule of nodes by themselves is of this one."""
        of_it = rule["node"] in (name, "all") and rule.get("op", op) == op
        return of_it and rule.get("network", False) == by_cards

    def gpus(self, words: list[str]) -> Said:
        """One step of the probe of GPUs; `gpu_programs.py` has the rules."""
        return gpu_programs.step(self.cluster, self.gpu_rules, words)

    def take_logs(self, node: str, words: list[str]) -> Said:
        """What `find` prints of NCCL's files on a node, and removes: those of the start that it names."""
        folder, wanted = words[1], [words[at + 1] for at, word in enumerate(words) if word == "-name"]
        assert len(wanted) == 2 and words[-1] == "-delete", words
        if node in self.unread:
            return 255, "", f"Connection to {node} closed by remote host.\n"
        mine = [key for key in list(self.logs) if key[0] == node]
        names = {
            key: key[1].replace("%h", node).replace("%p", "4000").removeprefix(folder + "/") for key in mine
        }
        text = "".join(self.logs[key] for key in mine if fnmatchcase(names[key], wanted[1]))
        for key in mine:
            if fnmatchcase(names[key], wanted[0]):
                del self.logs[key]
        return 0, text, ""

    @staticmethod
    def _speaks(rule: dict[str, Any], op: str, nodes: list[str]) -> bool:
        named = {*rule.get("nodes", []), *([rule["node"]] if "node" in rule else [])}
        return rule.get("op", op) == op and named <= set(nodes) and len(nodes) >= rule.get("least", 1)

    def nccl_log(self, name: str, nodes: list[str]) -> str:
        way = self.network.get(name, "")
        cards = [
            f"[{at}]{device}:1/IB" for at, device in enumerate(self.fabric.machines[name].facts["cards"])
        ]
        log = NCCL["sockets" if way == "sockets" else "efa" if self.fabric.srd else "infiniband"]
        return log.substitute(
            node=name, cards=" ".join(cards), ranks=RANKS * len(nodes), nodes=len(nodes),
            direct="" if way == "no gpudirect" else "/GDRDMA",
        )  # fmt: skip

    def _row(
        self, op: str, size: int, largest: int, nodes: list[str], rule: dict[str, Any], *, by_cards: bool
    ) -> str:
        """A size by the rate of the largest one, and a time that no message undercuts (built)."""
        k, n = len(nodes), RANKS * len(nodes)
        healthy = HEALTHY[self.cluster]
        whole = healthy["network_only_gbytes_per_s"] if by_cards else healthy["busbw_gbytes_per_s"][op][k]
        whole *= self.fabric.share(nodes) if by_cards or k > 1 else 1.0
        whole *= rule.get("share", 1.0) if size < rule.get("below", size + 1) else 1.0
        busbw = whole * size / (size + LATENCY_BYTES) * (largest + LATENCY_BYTES) / largest
        algbw = busbw / ((2 if op == "all_reduce" else 1) * (n - 1) / n)
        half = f"{size / algbw / 1e3:9.2f} {algbw:7.2f} {busbw:7.2f} {rule.get('wrong', 0):7d}"
        redop = "sum" if op in ("all_reduce", "reduce_scatter") else "none"
        return f"{size:12d} {size // 4:13d}     float {redop:>7s}      -1 {half} {half}\n"

    def _table(
        self, op: str, sizes: list[int], nodes: list[str], rule: dict[str, Any], *, by_cards: bool = False
    ) -> str:
        ranks = "".join(
            f"#  Rank {at * RANKS + gpu:2d} Group  0 Pid {3000 + gpu:6d} on {name:>10s} device {gpu:2d} "
            f"[0000:{gpu:02x}:00] NVIDIA H100 80GB HBM3\n"
            for at, name in enumerate(nodes) for gpu in range(RANKS)
        )  # fmt: skip
        rows = [self._row(op, size, sizes[-1], nodes, rule, by_cards=by_cards) for size in sizes]
        wrong = "FAILED" if rule.get("wrong") else "OK"
        foot = f"# Out of bounds values : {rule.get('wrong', 0)} {wrong}\n# Avg bus bandwidth    : 0\n#\n"
        return (
            HEAD.format(op=op, least=sizes[0], most=sizes[-1])
            + ranks
            + COLUMNS
            + "".join(rows)
            + foot
            + f"# Collective test concluded: {op}_perf\n"
        )

    def checkpoint(self, words: list[str]) -> Said:
        """All nodes write, or read back, their part as fast as was bought."""
        at = next(place for place, word in enumerate(words) if word.endswith("/probe.py"))
        verb, share = words[at + 1], int(words[at + 3])
        nodes = next(word for word in words if word.startswith("--nodelist=")).partition("=")[2].split(",")
        if words[at].startswith("/data/"):
            claim = f"storage.all_{verb}@data"
        else:
            claim = "storage.checkpoint" if verb == "write" else "storage.restore"
        rate = next(c.expectation.expected for c in self.contract.claims if c.id == claim and c.expectation)
        began = time.time()
        ended = began + share * len(nodes) / 1e9 / ((rate or 1.0) * self.moved.get(claim, 1.0))
        parts = [{"node": name, "begin": began, "end": ended, "bytes": share} for name in nodes]
        return 0, "".join(json.dumps(part) + "\n" for part in parts), ""
