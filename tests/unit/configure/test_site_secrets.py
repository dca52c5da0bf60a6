"""Secrets that a contract refers to are whole and the operator's alone, or nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.contract.conftest import SERVICES

from railbed.configure.site_secrets import DIRECTORY_FILE, PROXY_FILE, RECEIVER_FILE, require_secrets
from railbed.contract.site import Alerts, Receiver, Services
from railbed.effects.secret_files import SecretError
from railbed.effects.workspace import Workspace


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "small")
    made.secrets.mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (None, 0, "is missing"), ("", 0o600, "is empty"), ("hunter2\n", 0o640, "read by others"),
        ("two\nlines\n", 0o600, "not one line"),
    ],
)  # fmt: skip
def test_what_is_not_a_secret_is_refused(work: Workspace, text: str | None, mode: int, says: str) -> None:
    file = work.secrets / DIRECTORY_FILE
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    with pytest.raises(SecretError) as wrong:
        require_secrets(work, SERVICES)
    assert wrong.value.code == "SECRET" and says in wrong.value.message and str(file) == wrong.value.path
    assert "hunter2" not in wrong.value.as_text()


def test_those_that_are_whole_or_not_asked_for_are_taken(work: Workspace) -> None:
    require_secrets(work, Services())
    of_mail = RECEIVER_FILE.format("mail")
    for name, text in ((DIRECTORY_FILE, "hunter2\n"), (PROXY_FILE, "node:hunter2\n"), (of_mail, "hunter2\n")):
        (work.secrets / name).write_text(text)
        (work.secrets / name).chmod(0o600)
    require_secrets(work, SERVICES)


@pytest.mark.parametrize("text", ["hunter2", "a b:c", "a:b c", 'a:"b"', ":b", "a:"])
def test_a_login_that_apt_would_read_otherwise_is_refused(work: Workspace, text: str) -> None:
    file = work.secrets / PROXY_FILE
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(SecretError, match="USER:PASSWORD"):
        require_secrets(work, Services(proxy=SERVICES.proxy))


@pytest.mark.parametrize(
    ("kept", "text", "says"),
    [
        ("url", "http://hooks.corp.example/x", "begins with https://"), ("url", "https://hooks.corp.example/{{x}}", "https://"),
        ("url", "https://hooks.corp.example/services/T0/B0/x", ""), ("key", "0123abcd", ""), ("none", None, ""),
        ("token", None, "the token of the receiver chat is missing"),
    ],
)  # fmt: skip
def test_a_receiver_has_its_file(work: Workspace, kept: Any, text: str | None, says: str) -> None:
    receiver = Receiver(name="chat", kind="webhook", file=kept)
    alerts = Alerts(receivers=[receiver], default=["chat"], routes=[], heartbeat="", repeat_h=4)
    file = work.secrets / RECEIVER_FILE.format("chat")
    if text is not None:
        file.write_text(text + "\n")
        file.chmod(0o600)
    if not says:
        require_secrets(work, Services(alerts=alerts))
        return
    with pytest.raises(SecretError, match=says) as wrong:
        require_secrets(work, Services(alerts=alerts))
    assert text is None or text not in wrong.value.as_text()
