"""Input and output of the on-node suite: one JSON of expectations in, one JSON of findings out.

``RAILBED_EXPECTATIONS`` names the expectations file, ``RAILBED_RESULTS`` the file to write: one record per
claim. A test says which claim it answers with ``claim(id)`` and what it saw with ``judge(finding)``; a test
that dies without a word, or does not end (``apart.py``), leaves its claim unproven.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar

import pytest

from railbed.validate.node.apart import Apart
from railbed.validate.node.probe import TIMED_OUT, Answer, Finding, Probe

KILL_AFTER_S = 2
SUITE_S = 60.0
"""Where the expectations do not say how long the suite may take."""


class HostProbe(Probe):
    """Probes the node through testinfra's ``host``; what did not answer one test is not asked by the next."""

    known_silent: ClassVar[dict[str, Answer]] = {}

    def __init__(self, host: Any, root: str = "", slowdown: float = 1.0, enter: str = "") -> None:
        """``slowdown``: time limits of commands are so many times as long (``contract.Machine.slowdown``). ``enter``: what runs
        a command on the node where this process is in a container there; ``root`` then leads to the node's files."""
        super().__init__(root)
        self.slowdown = slowdown
        self.silent = self.known_silent
        self.host = host
        self.enter = f"{enter} " if enter else ""

    def execute(self, argv: Sequence[str], timeout_s: float) -> Answer:
        timeout_s *= self.slowdown
        done = self.host.run(
            f"{self.enter}timeout -k {KILL_AFTER_S} {timeout_s:g} {shlex.join(argv)} < /dev/null"
        )
        silent = f"{argv[0]}: no answer within {timeout_s:g} s"
        return Answer(done.rc, done.stdout, silent if done.rc == TIMED_OUT else done.stderr)


def _expectations() -> dict[str, Any]:
    with open(os.environ["RAILBED_EXPECTATIONS"]) as source:
        loaded: dict[str, Any] = json.load(source)
    return loaded


@pytest.fixture(name="want", scope="session")
def _want() -> dict[str, Any]:
    """What this node should be, from the contract."""
    return _expectations()


@pytest.fixture(name="probe")
def _probe(host: Any, want: dict[str, Any]) -> Probe:
    return HostProbe(
        host,
        os.environ.get("RAILBED_ROOT", ""),
        float(want.get("slowdown", 1)),
        os.environ.get("RAILBED_ENTER", ""),
    )


@pytest.fixture(name="judge")
def _judge(request: Any) -> Callable[[Finding], None]:
    """Ends the test with the verdict of a finding."""

    def end(finding: Finding) -> None:
        request.node.finding = finding
        if finding.verdict == "fail":
            pytest.fail(finding.reason, pytrace=False)
        if finding.verdict != "pass":
            pytest.skip(finding.reason)

    return end


@pytest.fixture(name="show")
def _show(request: Any) -> Callable[[dict[str, Any]], None]:
    """Adds to the record what the controller reads and judges by itself, under its key there."""

    def add(facts: dict[str, Any]) -> None:
        request.node.shown = facts

    return add


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "claim(id): the claim that this test answers")
    config.railbed_records = []
    want, before = _expectations(), 0

    def told() -> Any:
        """What a check in the child adds."""
        nonlocal before
        new, before = config.railbed_records[before:], len(config.railbed_records)
        silent = {name: dataclasses.astuple(one) for name, one in HostProbe.known_silent.items()}
        return {"records": new, "silent": silent}

    def take(said: Any) -> None:
        nonlocal before
        HostProbe.known_silent.update({name: Answer(*one) for name, one in said["silent"].items()})
        _write(config, said["records"])
        before = len(config.railbed_records)

    def lost(item: Any, reason: str) -> None:
        take({"records": [_record(item, Finding("unproven", reason))], "silent": {}})

    suite_s, slowdown = float(want.get("limit_s", SUITE_S)), float(want.get("slowdown", 1))
    config.pluginmanager.register(
        Apart(config, told, take, lost, suite_s=suite_s / slowdown, slowdown=slowdown)
    )


def _claim_of(item: Any) -> str:
    marker = item.get_closest_marker("claim")
    return str(marker.args[0]) if marker else ""


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keeps the tests of the claims that were asked for."""
    asked = set(_expectations()["claims"])
    kept = [item for item in items if _claim_of(item) in asked]
    dropped = [item for item in items if item not in kept]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    yield
    finding = getattr(item, "finding", None)
    crashed = call.excinfo is not None and finding is None
    if call.when == "call" or (call.when == "setup" and crashed):
        if finding is None:
            said = call.excinfo.exconly() if call.excinfo else "it ended without a verdict"
            finding = Finding("unproven", f"the check crashed: {said}")
        item.config.railbed_records.append(_record(item, finding))


def _record(item: Any, finding: Finding) -> dict[str, Any]:
    record = dataclasses.asdict(finding)
    record["claim"] = _claim_of(item)
    record["at"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record.update(getattr(item, "shown", {}))
    return record


def _write(config: Any, records: Sequence[dict[str, Any]]) -> None:
    """Adds records to the file at once: they are there also where the suite is ended before its end."""
    config.railbed_records += records
    results = os.environ["RAILBED_RESULTS"]
    with open(results + ".new", "w") as sink:
        json.dump(config.railbed_records, sink)
    os.replace(results + ".new", results)


def pytest_sessionfinish(session: Any) -> None:
    """Where no check was asked for there are no records, and that is said."""
    _write(session.config, [])
