"""The claim ``fabric.port_errors``: what the ports of rails count while a validation loads them."""

from __future__ import annotations

from collections.abc import Mapping

from railbed import ended
from railbed.judge import port_errors as law
from railbed.judge.counted import Outcome
from railbed.parse import port_errors as parse
from railbed.validate import error_counters
from railbed.validate.validation_run import ValidationRun

CLAIM = "fabric.port_errors"
UNLOADED = "nothing loaded the rails of {} in this run"
READ_S = 20.0


def _cards(validation: ValidationRun, name: str) -> list[tuple[str, str, int]]:
    """RDMA device, interface and rail of each card of a node's rails; rails over TCP have no device that counts."""
    contract = validation.as_observed
    node = contract.node(name)
    rdma = contract.machine(node.machine).transport != "tcp"
    return [(nic.device if rdma else "", nic.netdev, rail.index) for rail, nic in contract.nics(node)]


def _read(validation: ValidationRun, name: str) -> parse.Counts | str:
    """A file that a card does not have is left out (grep(1), -s)."""
    cards = _cards(validation, name)
    paths = [path for device, netdev, _ in cards for path in parse.files(device, netdev, law.RDMA)]
    if not paths:
        return f"nobody knows the cards of the rails of {name}"
    found = validation.remote.run(name, ["grep", "-sH", "", *paths], timeout_s=READ_S, check=False)
    counts = parse.read(found.stdout)
    return counts or (
        f"no error counters on {name}" if found.returncode in (0, 1, 2) else ended.why(found, "grep", name)
    )


def _judge(
    validation: ValidationRun,
    name: str,
    before: Mapping[parse.Key, int],
    after: Mapping[parse.Key, int],
    elapsed_s: float,
) -> Outcome:
    return law.judge(law.ports(_cards(validation, name)), before, after, elapsed_s)


def _unloaded(validation: ValidationRun, name: str) -> str:
    del validation
    return UNLOADED.format(name)


def _plain(found: Mapping[parse.Key, int]) -> dict[str, int]:
    return {f"{device} {counter}": n for (device, counter), n in sorted(found.items())}


PORTS = error_counters.Counters(
    claim=CLAIM,
    evidence="rails/port-errors.json",
    loads=("fabric.rail.*.bandwidth", "collective.*@*"),
    unloaded=_unloaded,
    read=_read,
    judge=_judge,
    plain=_plain,
)
