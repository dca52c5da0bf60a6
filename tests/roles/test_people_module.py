"""Accounts and groups of users and tenants: what is missing is made, another id is refused before anything is changed."""

from __future__ import annotations

import grp
import importlib.util
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[2] / "plugins/modules/people.py"
ACME = {"gid": 70_003, "members": ["alice", "ada", "stranger"], "group": ""}


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host with ada, and dora whose account was closed."""
    found = importlib.util.spec_from_file_location("people_module", MODULE)
    assert found and found.loader
    module: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    users = {
        name: pwd.struct_passwd((name, "x", uid, uid, "", "", ""))
        for name, uid in (("ada", 10_001), ("dora", 10_002))
    }
    groups = {
        name: grp.struct_group((name, "x", uid, []))
        for name, uid in (("ada", 10_001), ("dora", 10_002), ("sudo", 27))
    }
    groups["hpc"] = grp.struct_group(("hpc", "x", 5000, ["ada"]))
    (tmp_path / "shadow").write_text("ada:!:1::::::\ndora:!:1:::::1:\n")
    monkeypatch.setattr(module, "SHADOW", str(tmp_path / "shadow"))
    monkeypatch.setattr(pwd, "getpwall", lambda: list(users.values()))
    monkeypatch.setattr(grp, "getgrall", lambda: list(groups.values()))
    monkeypatch.setattr(pwd, "getpwnam", users.__getitem__)
    monkeypatch.setattr(grp, "getgrnam", groups.__getitem__)
    module.groups = groups
    return module


def of(people: Any, users: dict[str, int], groups: dict[str, Any] | None = None) -> Any:
    made = people.People(SimpleNamespace(params={"users": users, "groups": groups or {}}))
    for name, uid in users.items():
        made.user(name, uid)
    for name, wanted in (groups or {}).items():
        made.group(name, wanted)
    return made


def test_who_comes_gets_a_group_and_an_account_of_one_id(people: Any) -> None:
    made = of(people, {"alice": 10_017}, {"acme": ACME})
    assert made.wrong == []
    assert [command[0] for command in made.commands] == ["groupadd", "useradd", "groupadd", "gpasswd"]
    assert made.commands[1][1:5] == ["--uid", "10017", "--gid", "alice"] and "sudo" not in str(made.commands)
    assert made.commands[3] == ["gpasswd", "--members", "ada,alice", "acme"], (
        "whom the host does not know is passed over"
    )


def test_a_second_run_has_nothing_to_do(people: Any) -> None:
    people.groups["acme"] = grp.struct_group(("acme", "x", 70_003, ["ada"]))
    assert of(people, {"ada": 10_001}, {"acme": {**ACME, "members": ["ada"]}}).commands == []


def test_a_closed_account_is_opened_again(people: Any) -> None:
    assert of(people, {"dora": 10_002}).commands == [["usermod", "--expiredate", "", "dora"]]


def test_members_of_the_directorys_group_are_members_and_stay_so_while_it_is_away(people: Any) -> None:
    wanted = {"gid": 70_003, "members": [], "group": "hpc"}
    assert of(people, {}, {"acme": wanted}).commands[-1] == ["gpasswd", "--members", "ada", "acme"]
    people.groups["acme"] = grp.struct_group(("acme", "x", 70_003, ["ada"]))
    del people.groups["hpc"]
    assert of(people, {}, {"acme": wanted}).commands == []


@pytest.mark.parametrize(
    ("users", "groups", "told"),
    [
        ({"ada": 10_099}, {}, "ada has the user id 10001 here"), ({"eve": 10_001}, {}, "which is ada's"),
        ({}, {"sudo": {"gid": 70_001, "members": [], "group": ""}}, "group sudo has the id 27 here"),
        ({}, {"acme": {"gid": 27, "members": [], "group": ""}}, "which is sudo's"),
    ],
)  # fmt: skip
def test_another_id_is_refused(people: Any, users: dict[str, int], groups: dict[str, Any], told: str) -> None:
    assert told in "; ".join(of(people, users, groups).wrong)
