"""Odd answers of the ends of a rail, and of storage clients: no exception, no pass, no number that is none."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.validate import odd
from tests.unit.validate.odd import answers_like, texts, values

from railbed.claims import Expectation, Verdict
from railbed.contract import Contract
from railbed.judge import conditions
from railbed.judge import rails as law
from railbed.run import Result
from railbed.validate import clients, flows, rendezvous
from railbed.validate.flow_tool import Flow

ODD = "h100-1"
fuzzed = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
RUN = {"id": "0:h100-1", "code": 0, "output": "", "began_s": 0.1, "ended_s": 3.2}
SEEN = {"carrier": True, "tx": 25_000_000, "rx": 25_000_000}
MEASURED = {"flows": [RUN], "rails": {"0": SEEN}}
IPERF = {"end": {"sum_received": {"bits_per_second": 1e8}, "sum_sent": {"bits_per_second": 1e8}}, "start": {}}


class Canned:
    """A session whose end says one thing."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def send(self, _: bytes) -> bool:
        return True

    def receive(self, _: float) -> str | None:
        return self.text

    def close(self) -> Result:
        return Result((), 1, "", self.text or "")


def check_rails(text: str) -> None:
    """The end of one flow says ``text``; a verdict on it is finite, and never more than the line."""
    line = Canned(text)
    for kind in (rendezvous.READY, rendezvous.STARTED, rendezvous.STOPPED):
        rendezvous._answer(line, kind, ODD, 1.0)  # type: ignore[arg-type]
    answer = rendezvous._answer(line, rendezvous.MEASURED, ODD, 1.0)
    here = rendezvous.End(measured=answer) if not isinstance(answer, str) else rendezvous.End(error=answer)
    good = rendezvous.End(measured=rendezvous.Measured.model_validate(MEASURED))
    ends = {"h100-0": here, "h100-1": good}
    samples = flows.samples_of(
        flows.TOOLS["tcp"], Flow("h100-0", "h100-1", 0), ends, bidirectional=True, window=1
    )
    expectation = Expectation(
        unit="Gb/s", bound=0.1, expected=0.099, floor=0.095, basis="derived", derivation=[]
    )
    for record in law.judge(samples, {0: expectation}, ["h100-0", "h100-1"]):
        json.dumps(record.model_dump(mode="json"), allow_nan=False)
        assert record.verdict is not Verdict.PASS


@pytest.mark.parametrize(
    "text", [*odd.TEXTS, *odd.bent(MEASURED), *odd.bent(RUN)], ids=lambda text: ascii(text[:40])
)
def test_rails(text: str) -> None:
    check_rails(text)


def measured(output: Any) -> str:
    """An answer whose one flow has ``output`` for iperf3's JSON."""
    return json.dumps({**MEASURED, "flows": [{**RUN, "output": json.dumps(output)}]})


rates = st.floats().map(lambda rate: measured({**IPERF, "end": {"sum_received": {"bits_per_second": rate}}}))


@given(answers_like(MEASURED) | values.map(measured) | rates)
def test_rails_with_anything(text: str) -> None:
    check_rails(text)


@pytest.mark.parametrize("rate", [math.nan, math.inf, -math.inf, -1.0, 0.103, 1e300])
@pytest.mark.parametrize("bound", [0.1, None])
def test_a_rail_s_rate_that_cannot_be_true_never_passes(rate: float, bound: float | None) -> None:
    if bound is None and rate in (0.103, 1e300):
        return
    samples = [
        law.RailSample.model_construct(
            rail=0, sender=a, receiver=b, gbps=rate, omitted_s=1.0, reason="", window=0, carrier=True, disturbed="", sending=None
        )
        for a in ("a", "b", "c") for b in ("a", "b", "c") if a != b
    ]  # fmt: skip
    expectation = Expectation(
        unit="Gb/s", bound=bound, expected=0.099, floor=0.095, basis="derived", derivation=[]
    )
    for record in law.judge(samples, {0: expectation}, ["a", "b", "c"]):
        assert record.verdict is Verdict.UNPROVEN
        assert record.measured is None


@fuzzed
@given(texts | st.sampled_from(odd.TEXTS), st.integers(0, 255))
def test_any_words_of_a_storage_client(contract_filesystem: Any, text: str, status: int) -> None:
    for said in (
        text,
        f"python {text}\nstat {text}\n{text}",
        f"python 0\nstat 0\n{text}",
        f"python 1 {text}\nstat 0 x\n{text}",
    ):
        found = clients.judge(ODD, Result((), status, said, text), contract_filesystem)
        assert found.seen is not clients.Seen.WELL or status == 0
        assert "Traceback (most" not in found.reason or text.startswith("Traceback")
    conditions.read(text)


@pytest.fixture
def contract_filesystem(contract: Contract) -> Any:
    return contract.filesystems[0]
