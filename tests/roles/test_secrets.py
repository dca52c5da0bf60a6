"""Planted secrets, and a run that does its worst with them: -vvvv, --diff, failures, a crash. Nothing of them is left behind."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from tests.roles.plays import Plays, plays

from railbed.configure import broken, converge, playbook
from railbed.effects.secrets import munge_key, passphrase_file
from railbed.errors import CommandError

__all__ = ["plays"]
DIRECTORY = "the-directory-password-of-a-site"
"""Of a file that railbed is only told of: nothing knows that it is a secret but the role that writes it."""
OF_THE_OPERATOR = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-planted-aws", "PULUMI_CONFIG_PASSPHRASE": "planted-passphrase-of-a-shell",
    "GITHUB_TOKEN": "ghp_planted0123456789abcdef", "OS_PASSWORD": "planted-openstack-password",
}  # fmt: skip
CRASH = """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={"text": {"type": "str"}}, supports_check_mode=True)
raise RuntimeError("cannot use " + module.params["text"])
"""
WORST = """
    - name: Write what is secret
      tree:
        files:
          "%(made)s/munge.key": {content: "{{ munge }}", base64: true}
          "%(made)s/ldap.conf": {content: "password {{ directory }}", sensitive: true}
          "%(made)s/cluster": {content: "{{ key }}"}
      run_once: true
      vars: &secrets
        munge: "{{ lookup('ansible.builtin.file', railbed_secrets_dir ~ '/munge.key', rstrip=false) | b64encode }}"
        key: "{{ lookup('ansible.builtin.file', railbed_secrets_dir ~ '/operator_ed25519') }}"
        directory: "{{ lookup('ansible.builtin.file', '%(directory)s') }}"
    - name: Say it
      ansible.builtin.debug:
        msg: "{{ munge }} {{ key }} {{ lookup('ansible.builtin.env', 'AWS_SECRET_ACCESS_KEY') }}"
      vars: *secrets
    - name: Fail to write it
      tree:
        files:
          "%(made)s/cluster/below-a-file": {content: "{{ munge }}", base64: true}
          "%(made)s/cluster/too": {content: "password {{ directory }}", sensitive: true}
      when: inventory_hostname == 'h100-0'
      vars: *secrets
    - name: Crash with it
      crash: {text: "{{ key }}"}
      when: inventory_hostname == 'h100-1'
      vars: *secrets
    - name: A template that breaks
      ansible.builtin.debug: {msg: "{{ key | from_json }}"}
      when: inventory_hostname == 'h100-2'
      vars: *secrets
"""


@pytest.fixture
def planted(plays: Plays, monkeypatch: pytest.MonkeyPatch) -> Plays:
    """The operator's environment and files hold secrets, and Ansible is as talkative as it can be."""
    for name, value in OF_THE_OPERATOR.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANSIBLE_VERBOSITY", "4")
    passphrase_file(plays.work)
    directory = plays.made.parent / "directory-password"
    directory.write_text(DIRECTORY)
    library = plays.work.root / "playbooks/library"
    library.mkdir()
    (library / "crash.py").write_text(CRASH)
    plays.playbook(WORST % {"made": plays.made, "directory": directory})
    return plays


def secrets(plays: Plays) -> dict[str, bytes]:
    """What must be nowhere, by name: whole where it is one line, else pieces of it, in the forms in which it travels."""
    work = plays.work
    munge = munge_key(work).read_bytes()
    lines = (work.secrets / "operator_ed25519").read_text().splitlines()[1:-1]
    found = {
        "munge key": munge[:40], "munge key in base64": base64.b64encode(munge)[200:260],
        "passphrase": passphrase_file(work).read_bytes().strip(), "directory password": DIRECTORY.encode(),
        **{f"line {number} of the operator's key": line.encode() for number, line in enumerate(lines)},
        **{name: value.encode() for name, value in OF_THE_OPERATOR.items()},
    }  # fmt: skip
    assert all(len(secret) > 11 for secret in found.values())
    return found


def leaks(plays: Plays, told: str) -> list[str]:
    """Every secret that is in a file of the stack, its own excepted, or in what was told."""
    work = plays.work
    own = set(work.secrets.iterdir()) | {work.local / "passphrase"}
    files = [path for path in work.local.rglob("*") if path.is_file() and path not in own]
    assert any(path.name == "log" for path in files) and len(files) > 8
    places = {str(path): path.read_bytes() for path in files} | {"what was told": told.encode()}
    return [
        f"{name} is in {place}"
        for name, secret in secrets(plays).items()
        for place, content in places.items()
        if secret in content
    ]


@pytest.mark.parametrize("check", [False, True], ids=["for real", "check and diff"])
def test_no_secret_is_left_behind(planted: Plays, check: bool, capfd: pytest.CaptureFixture[str]) -> None:
    seen = []
    result = converge(planted.contract, planted.work, check=check, on_event=seen.append)
    assert {"h100-1", "h100-2"} <= set(result.broken), "the worst did happen"
    assert check or (planted.made / "munge.key").read_bytes() == munge_key(planted.work).read_bytes()
    error = broken(result)
    screen = capfd.readouterr()
    told = (
        json.dumps([result.as_json(), error.as_json()])
        + str(seen)
        + screen.out
        + screen.err
        + error.as_text()
    )
    assert "(secret)" in Path(result.log).read_text(), "it was said, and taken out"
    assert leaks(planted, told) == []


def test_what_is_looked_for_would_be_found(planted: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook, "secrets_of", lambda work: [])
    converge(planted.contract, planted.work, limit="h100-1")
    found = leaks(planted, "")
    assert any("operator's key" in leak for leak in found) and any(
        "munge key in base64" in leak for leak in found
    )
    assert not [leak for leak in found if "directory password" in leak or "planted" in leak], (
        "these are never said"
    )


def test_a_run_that_does_not_even_start_tells_no_secret(planted: Plays) -> None:
    key = (planted.work.secrets / "operator_ed25519").read_text().splitlines()[2]
    planted.playbook(f"    - no.such.module: {{text: {key}}}\n")
    with pytest.raises(CommandError) as failed:
        converge(planted.contract, planted.work)
    assert leaks(planted, json.dumps(failed.value.as_json())) == []
    assert "no.such.module" in failed.value.message and "Traceback" not in failed.value.message
