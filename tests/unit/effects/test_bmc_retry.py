"""What is asked again, how long is waited in between, and what an error may say. No BMC: the answers are made here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from sushy import exceptions

from railbed.effects.bmc.connection import Bmc
from railbed.effects.bmc.login import Login
from railbed.effects.bmc.target import BmcError, Patience, Target
from railbed.run import run

CANARY = "canary-9Wq"
TARGET = Target("h100-0", "SN0", "https://10.81.0.11/redfish/v1/Systems/1")
PATIENCE = Patience(tries=5, first_pause_s=1, longest_pause_s=5)


def http(status: int, message: str = "") -> exceptions.HTTPError:
    response = requests.Response()
    response.status_code = status
    response._content = b'{"error": {"code": "Base.1.0.GeneralError", "message": "%s"}}' % message.encode()
    with pytest.raises(exceptions.HTTPError) as made:
        exceptions.raise_for_response("GET", TARGET.bmc, response)
    return made.value


def broken(cause: requests.RequestException) -> exceptions.ConnectionError:
    with pytest.raises(exceptions.ConnectionError) as made:
        try:
            raise cause
        except requests.RequestException as error:
            raise exceptions.ConnectionError(url=TARGET.bmc, error=error)  # noqa: B904 - as sushy does it
    return made.value


class Answers:
    """A BMC that gives these answers in turn, and the pauses in between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Exception | None) -> None:
        self.bmc = Bmc(TARGET, Login("admin", CANARY), None, PATIENCE)
        self.pauses: list[float] = []
        self.asked = 0
        self._answers: Iterator[Exception | None] = iter(answers)
        monkeypatch.setattr(self.bmc, "_system", self._system)
        monkeypatch.setattr("railbed.effects.bmc.connection.time", SimpleNamespace(sleep=self.pauses.append))

    def _system(self) -> Any:
        self.asked += 1
        answer = next(self._answers)
        if answer is not None:
            raise answer
        return "the system"

    def error(self) -> BmcError:
        with pytest.raises(BmcError) as refused:
            self.bmc.act("read its power", str)
        return refused.value


def test_a_busy_bmc_is_asked_again_after_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = [http(503), http(429), broken(requests.ConnectionError("refused")), http(412)]
    answers = Answers(monkeypatch, *busy, None)
    assert answers.bmc.act("read its power", str) == "the system"
    assert answers.pauses == [1, 2, 4, 5]


def test_after_the_last_try_the_last_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, *[http(500)] * 4, http(503, "an update is running"))
    error = answers.error()
    assert (error.code, error.found, answers.asked) == ("BMC_ANSWER", "HTTP 503", PATIENCE.tries)
    assert "an update is running" in error.message


@pytest.mark.parametrize(("asked_s", "waited_s"), [("3", 3), ("600", 5), ("soon", 1), ("", 1)])
def test_a_bmc_may_name_the_pause_but_not_a_long_one(
    monkeypatch: pytest.MonkeyPatch, asked_s: str, waited_s: float
) -> None:
    answers = Answers(monkeypatch, http(429), None)
    response = requests.Response()
    response.headers["Retry-After"] = asked_s
    answers.bmc._connector._note(response)
    answers.bmc.act("read its power", str)
    assert answers.pauses == [waited_s]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http(401), "BMC_REFUSED"), (http(403), "BMC_REFUSED"), (http(400), "BMC_ANSWER"), (http(501), "BMC_ANSWER"),
        (http(404), "BMC_LACKS"), (broken(requests.exceptions.SSLError("unknown authority")), "BMC_CERTIFICATE"),
        (exceptions.MissingAttributeError(attribute="VirtualMedia", resource="/"), "BMC_LACKS"),
        (requests.exceptions.JSONDecodeError("no JSON", "<html>", 0), "BMC_ANSWER"),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, answer: Exception, code: str
) -> None:
    answers = Answers(monkeypatch, answer)
    error = answers.error()
    assert (error.code, answers.asked, answers.pauses) == (code, 1, [])
    assert all(part in error.as_text() for part in ("h100-0", "SN0", TARGET.bmc))
    assert error.hint


def test_a_secret_that_the_bmc_repeats_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(
        monkeypatch, http(400, f"cannot fetch https://10.0.0.1/tok-{CANARY}x/seed.iso as {CANARY}")
    )
    answers.bmc.hide(f"https://10.0.0.1/tok-{CANARY}x/seed.iso")
    assert CANARY not in answers.error().as_text()


def test_sushys_warnings_reach_no_terminal() -> None:
    code = "import logging; {} logging.getLogger('sushy.connector').warning('request body with a seed')"
    assert "seed" in run([sys.executable, "-c", code.format("")]).stderr
    assert run([sys.executable, "-c", code.format("import railbed.effects.bmc.connection;")]).stderr == ""
