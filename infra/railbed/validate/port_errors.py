"""The claim ``fabric.port_errors``: what the ports of rails count while a validation loads them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from fnmatch import fnmatchcase

from railbed import ended
from railbed.claims import Verdict
from railbed.defaults import SSH_FANOUT
from railbed.judge import port_errors as law
from railbed.parse import port_errors as parse
from railbed.validate.answers import judged
from railbed.validate.validation_run import ValidationRun

CLAIM = "fabric.port_errors"
LOADS = ("fabric.rail.*.bandwidth", "collective.*@*")
"""Claims whose measurements load the rails of the nodes that they name."""
UNLOADED = "nothing loaded the rails of {} in this run"
READ_S = 20.0


def begin(validation: ValidationRun) -> None:
    """Reads the counters before anything loads the rails."""
    if validation.scope.asks(CLAIM):
        validation.port_counts, validation.ports_counted_at = _read(validation), time.monotonic()


def run(validation: ValidationRun) -> None:
    """Reads the counters again and judges their rise."""
    if not validation.scope.asks(CLAIM):
        return
    elapsed_s = time.monotonic() - validation.ports_counted_at
    after, before, loaded = _read(validation), validation.port_counts, _loaded(validation)
    evidence = validation.keep("rails/port-errors.json", {"before": _plain(before), "after": _plain(after)})
    for question in validation.scope.get(CLAIM):
        name = question.node
        then, now = before.get(name, "it was not read"), after.get(name, "it was not read")
        if isinstance(then, str) or isinstance(now, str):
            validation.answers.why(CLAIM, then if isinstance(then, str) else str(now), [name])
            continue
        outcome = law.judge(law.ports(_cards(validation, name)), then, now, elapsed_s)
        if outcome.verdict is Verdict.PASS and name not in loaded:
            validation.answers.why(CLAIM, UNLOADED.format(name), [name])
            continue
        detail = {"rises": outcome.rises, **({"parts": outcome.parts} if outcome.parts else {})}
        measured = sum(outcome.rises.values())
        validation.answers.add(
            judged(
                question,
                outcome.verdict,
                outcome.reason,
                measured=measured,
                unit="errors",
                evidence=evidence,
                detail=detail,
            )
        )


def _loaded(validation: ValidationRun) -> set[str]:
    """Nodes of which a measurement over the rails gave a number."""
    found = set[str]()
    for one in validation.answers.given():
        if one.measured is not None and any(fnmatchcase(one.claim, pattern) for pattern in LOADS):
            found.update([one.node] if one.node else map(str, one.detail.get("nodes") or ()))
    return found


def _cards(validation: ValidationRun, name: str) -> list[tuple[str, str, int]]:
    """RDMA device, interface and rail of each card of a node's rails; rails over TCP have no device that counts."""
    contract = validation.as_observed
    node = contract.node(name)
    rdma = contract.machine(node.machine).transport != "tcp"
    return [(nic.device if rdma else "", nic.netdev, rail.index) for rail, nic in contract.nics(node)]


def _read(validation: ValidationRun) -> Mapping[str, parse.Counts | str]:
    """Node → its counters, or why there are none. A file that a card does not have is left out (grep(1), -s)."""

    def ask(name: str) -> parse.Counts | str:
        cards = _cards(validation, name)
        paths = [path for device, netdev, _ in cards for path in parse.files(device, netdev, law.RDMA)]
        if not paths:
            return f"nobody knows the cards of the rails of {name}"
        found = validation.remote.run(name, ["grep", "-sH", "", *paths], timeout_s=READ_S, check=False)
        counts = parse.read(found.stdout)
        return counts or (
            f"no error counters on {name}"
            if found.returncode in (0, 1, 2)
            else ended.why(found, "grep", name)
        )

    nodes = [name for name in validation.scope.nodes(CLAIM) if name not in validation.unreachable]
    lost = {
        name: why for name, why in validation.unreachable.items() if name in validation.scope.nodes(CLAIM)
    }
    return {**validation.remote.each(nodes, ask, SSH_FANOUT), **lost}


def _plain(counts: Mapping[str, parse.Counts | str]) -> dict[str, object]:
    """As JSON data."""
    return {
        name: found
        if isinstance(found, str)
        else {f"{device} {counter}": n for (device, counter), n in sorted(found.items())}
        for name, found in sorted(counts.items())
    }
