"""Modules of railbed as the action ``tree`` starts them: without Ansible's library, and with the same answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.unit.configure import modules

ROOT = modules.ROOT
ACTION = modules._load("railbed_action_tree", ROOT / "plugins/action/tree.py")
START = modules._load("railbed_direct_start", ROOT / "plugins/direct/start.py")
DIRECT = sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))


def started(module: str, name: str = "trial", *, check: bool = False, **asked: Any) -> dict[str, Any]:
    """What the action makes of a module with this source, on a node that is this machine."""
    helpers = {
        one: (ROOT / "plugins/module_utils" / f"{one}.py").read_text() for one in ACTION.helpers_of(module)
    }
    sent = {
        "name": name, "start": ACTION.START.read_text(), "module": module, "helpers": helpers, "asked": asked,
        "check": check, "diff": True,
    }  # fmt: skip
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", ACTION.RECEIVE], input=json.dumps(sent), text=True, capture_output=True,
        check=False, timeout=30,
    )  # fmt: skip
    answer: dict[str, Any] = ACTION.answer(
        name, {"stdout": done.stdout, "stderr": done.stderr, "rc": done.returncode}
    )
    return answer


def real(name: str, *, check: bool = False, **asked: Any) -> dict[str, Any]:
    return started((ROOT / f"plugins/modules/{name}.py").read_text(), name, check=check, **asked)


def trial(body: str, spec: str = "{}") -> str:
    """A module that takes these arguments and does this."""
    return (
        "from ansible.module_utils.basic import AnsibleModule\n"
        f"def main():\n    module = AnsibleModule(argument_spec={spec}, supports_check_mode=True)\n    {body}\n"
    )


TAKES = """{"files": {"type": "dict", "default": {}}, "names": {"type": "list", "elements": "path", "required": True},
"settle_s": {"type": "float", "default": 0.5}, "timeout_s": {"type": "int", "default": 90},
"units": {"type": "list", "elements": "dict", "default": [], "options": {
    "name": {"type": "str", "required": True}, "enabled": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"}}}}"""


def test_a_tree_is_written_once_and_answered_as_with_ansibles_library(tmp_path: Path) -> None:
    asked = {"files": {f"{tmp_path}/a/file": "text é \n", f"{tmp_path}/b": {"content": "YQ==", "base64": True, "mode": "0400"}},
             "links": {f"{tmp_path}/link": "a/file"}, "absent": [f"{tmp_path}/old"]}  # fmt: skip
    (tmp_path / "old").touch()
    planned = real("tree", check=True, **asked)
    assert planned["changed"] and not (tmp_path / "a").exists() and (tmp_path / "old").exists()
    first = real("tree", **asked)
    assert first["changed"] and sorted(first["paths"]) == sorted(planned["paths"])
    assert (tmp_path / "a/file").read_text() == "text é \n" and (tmp_path / "b").read_bytes() == b"a"
    again = real("tree", **asked)
    assert again == {**modules.call(modules.load("tree"), **asked)} and not again["changed"]


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("tree", {"files": {"relative": "x"}}, "not an absolute path"),
        ("sysctls", {"path": "/nonexistent/x.conf", "values": {"no.such.parameter": "1"}}, "no parameter no.such.parameter"),
        ("links", {"links": {"rb-no-such0": 1500}}, "there is no interface rb-no-such0"),
    ],
)  # fmt: skip
def test_a_refusal_is_worded_as_with_ansibles_library(name: str, asked: dict[str, Any], words: str) -> None:
    direct, packed = real(name, **asked), modules.call(modules.load(name), **asked)
    assert direct["failed"] and words in direct["msg"]
    assert direct["msg"] == packed["msg"]


def test_arguments_get_their_defaults_also_inside_lists() -> None:
    answer = started(
        trial("module.exit_json(given=module.params)", TAKES), names=["/a"], units=[{"name": "x"}]
    )
    assert answer["given"] == {
        "files": {}, "names": ["/a"], "settle_s": 0.5, "timeout_s": 90,
        "units": [{"name": "x", "enabled": True, "state": "started"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "missing required argument: names"),
        ({"names": "/a"}, "argument names must be list, not str"),
        ({"names": [1]}, "argument names must be path, not int"),
        ({"names": [], "timeout_s": "90"}, "argument timeout_s must be int, not str"),
        ({"names": [], "timeout_s": True}, "argument timeout_s must be int, not bool"),
        ({"names": [], "filez": {}}, "unsupported parameters: filez; supported are files, names"),
        ({"names": [], "units": [{}]}, "missing required argument: units.name"),
        ({"names": [], "units": [{"name": "x", "state": "on"}]}, "units.state must be one of started, stopped"),
        ({"names": [], "units": [{"name": "x", "then": 1}]}, "unsupported parameters: units.then"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(asked: dict[str, Any], words: str) -> None:
    answer = started(trial("module.exit_json()", TAKES), **asked)
    assert answer["failed"] and words in answer["msg"]


def test_a_program_that_leaves_a_service_behind_does_not_hold_the_module() -> None:
    """A postinst may start a daemon with the output of apt-get; a pipe would stay open as long as it runs."""
    body = "module.exit_json(said=module.run_command(['sh', '-c', 'sleep 60 & echo $!; echo b >&2; exit 3']))"
    code, out, err = started(trial(body))["said"]
    subprocess.run(["kill", out.strip()], check=True)
    assert (code, err) == (3, "b\n")


def test_programs_get_input_and_environment_and_their_failure_can_end_the_module() -> None:
    body = "module.exit_json(said=module.run_command(['sh', '-c', 'cat; echo $A'], data='x', environ_update={'A': 'y'}))"
    assert started(trial(body))["said"] == [0, "xy\n", ""]
    failed = started(trial("module.run_command(['sh', '-c', 'echo why >&2; exit 4'], check_rc=True)"))
    assert failed["failed"] and (failed["rc"], failed["msg"]) == (4, "why")
    missing = started(trial("module.run_command(['/no/such/program'])"))
    assert missing["failed"] and missing["msg"] == "/no/such/program: No such file or directory"


def test_a_module_that_breaks_is_a_failure_with_its_last_words() -> None:
    broken = started(trial("1 / 0"))
    assert broken["failed"] and "trial ended without an answer (status 1)" in broken["msg"]
    assert "ZeroDivisionError" in broken["msg"]
    silent = ACTION.answer(
        "tree", {"stdout": "Welcome!\n", "stderr": "sudo: a password is required", "rc": 1}
    )
    assert silent["failed"] and "a password is required" in silent["msg"]


def test_what_a_login_prints_is_not_the_answer() -> None:
    said = ACTION.answer("tree", {"stdout": 'Welcome {to}\n{"changed": false}\n', "stderr": "", "rc": 0})
    assert said == {"changed": False}


def members(source: str) -> set[str]:
    """What a source uses of its AnsibleModule."""
    return set(re.findall(r"\bmodule\.(\w+)", source)) - {"main"}


def test_modules_use_what_the_stand_in_has() -> None:
    assert DIRECT == ["debs", "links", "sysctls", "tree", "units"]
    has = {*vars(START.AnsibleModule), "params", "check_mode"}
    for name in DIRECT:
        sent = ACTION.sources(name)
        for source in [sent["module"], *sent["helpers"].values()]:
            imported = set(re.findall(r"^(?:from|import) (ansible\S*)", source, re.MULTILINE))
            assert imported <= {"ansible.module_utils", "ansible.module_utils.basic",
                                *(f"ansible.module_utils.{one}" for one in sent["helpers"])}, name  # fmt: skip
            assert members(source) - {"_diff"} <= has, name
    assert members("module.warn('x')") - has == {"warn"}, "what it lacks is seen"


def played(tmp_path: Path, task: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """A playbook with this task on this machine, with the checkout's settings."""
    play = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Try", **task}]}]
    (tmp_path / "play.json").write_text(json.dumps(play))
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "node,", "-c", "local", *words, tmp_path / "play.json"],
        cwd=ROOT, text=True, capture_output=True, check=False, timeout=120,
        env={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_INVENTORY_ENABLED": "host_list", "HOME": str(tmp_path),
             "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ANSIBLE_NOCOLOR": "1", "LANG": "C.UTF-8"},
    )  # fmt: skip


def test_ansible_starts_it_and_arguments_stay_out_of_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "made"
    task = {"tree": {"files": {str(file): {"content": "{{ 'very' ~ '-secret' }}", "sensitive": True}}}}
    checked = played(tmp_path, task, "--check", "--diff", "-vvv")
    assert checked.returncode == 0 and "changed=1" in checked.stdout, checked.stdout + checked.stderr
    assert not file.exists() and "very-secret" not in checked.stdout
    done = played(tmp_path, task, "-vvv")
    assert "changed=1" in done.stdout and file.read_text() == "very-secret"
    assert "AnsiballZ" not in done.stdout and "very-secret" not in done.stdout
    assert "changed=0" in played(tmp_path, task).stdout
    failed = played(tmp_path, {"tree": {"filez": {}}})
    assert failed.returncode == 2 and "unsupported parameters: filez" in failed.stdout


def test_the_test_loads_the_action_that_ansible_takes() -> None:
    assert isinstance(ACTION, ModuleType) and issubclass(ACTION.ActionModule, object)
    assert {path.resolve() for path in (ROOT / "plugins/action").glob("*.py")} == {
        ROOT / "plugins/action/tree.py"
    }
