"""`railbed release check`: its words, its JSON and its exit status."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from railbed.cli import release_check_commands
from railbed.errors import CatalogError, UsageError
from railbed.toolbox import release_check
from railbed.toolbox.release_check import Item


def call(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    release_check_commands.register(app)
    done = CliRunner().invoke(app, ["release", "check", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


@pytest.mark.parametrize(
    ("states", "status"),
    [("pass", 0), ("pass fail unreachable", 1), ("pass unreachable", 3), ("unproven", 3)],
)
def test_one_document_and_the_exit_status_of_the_worst(
    states: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        Item.model_validate({"kind": "key", "name": str(at), "where": "https://x/", "state": state})
        for at, state in enumerate(states.split())
    ]
    asked: dict[str, object] = {}

    def check(*what: object, **how: object) -> list[Item]:
        asked.update(how, machine=what[1], os=what[2], locked=what[4])
        return items

    monkeypatch.setattr(release_check, "check", check)
    code, text = call("2026.12", "--machine", "metal/hgx-h100", "--download", "--json")
    document = json.loads(text)
    assert code == status and [one["state"] for one in document["items"]] == states.split()
    assert document["counts"]["fail"] == states.count("fail") and document["os"] == "ubuntu 24.04"
    assert asked["whole"] is True and "torch==2.15.0" in str(asked["locked"])
    code, text = call("2026.12")
    assert code == status and f"{states.count('unreachable')} unreachable" in text


def test_what_is_not_known_is_a_usage_error() -> None:
    with pytest.raises(CatalogError):
        call("1999.01")
    with pytest.raises(UsageError, match="not made for that operating system"):
        call("2026.12", "--os", "ubuntu 18.04")
