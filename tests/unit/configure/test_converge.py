"""The run of a playbook: which nodes, whose leases, no secret left behind. One real Ansible run, over local hosts."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from railbed.configure import NodeState, converge, runner, stack
from railbed.configure.host_pattern import resolve
from railbed.configure.redact import Redactor, secrets_of
from railbed.contract import Contract
from railbed.effects.journal import Journal
from railbed.effects.lock import leased
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.errors import Busy, CommandError, ContractError, UsageError

ROOT = Path(__file__).resolve().parents[3]
ALL = ["ctl0", "h100-0", "h100-1", "h100-2"]


@pytest.mark.parametrize(
    ("limit", "nodes"),
    [
        (None, ALL),
        ("all", ALL),
        ("h100-1", ["h100-1"]),
        ("h100-1,ctl0", ["ctl0", "h100-1"]),
        ("role_spare", ["h100-2"]),
        ("h100-*", ["h100-0", "h100-1", "h100-2"]),
        ("gpu_nodes,!h100-0", ["h100-1", "h100-2"]),
        ("!ctl0", ["h100-0", "h100-1", "h100-2"]),
    ],
)
def test_a_limit_is_names_groups_and_wildcards(work: Workspace, limit: str | None, nodes: list[str]) -> None:
    assert resolve(limit, stack.load(work)) == nodes


@pytest.mark.parametrize("limit", ["h100-9", "h100-0,h100-9", "", "pool_a100", "ctl0,!ctl0"])
def test_a_limit_that_matches_nothing_is_an_error(work: Workspace, limit: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(limit, stack.load(work))
    assert refused.value.code == "LIMIT_EMPTY"


def test_a_leased_node_is_busy_for_everyone_else(work: Workspace) -> None:
    with leased(work, ["h100-0", "h100-1"]):
        with pytest.raises(Busy, match="h100-1"), leased(work, ["ctl0", "h100-1"]):
            pass
        with leased(work, ["ctl0"]):
            pass
    with leased(work, ["h100-1"]):
        pass


def test_secrets_are_found_in_every_form(work: Workspace) -> None:
    ensure_stack_secrets(work)
    redactor = Redactor(secrets_of(work))
    key = (work.secrets / "operator_ed25519").read_text()
    body = key.splitlines()[1]
    munge = base64.b64encode((work.secrets / "munge.key").read_bytes()).decode()
    told = redactor.data({"msg": f"wrote {body}", "list": [munge], body: 1, "number": 3})
    assert told == {"msg": "wrote (secret)", "list": ["(secret)"], "(secret)": 1, "number": 3}
    public = (work.secrets / "operator_ed25519.pub").read_text()
    assert redactor.text(public) == public


def test_ordinary_text_is_left_as_it_is(work: Workspace) -> None:
    ensure_stack_secrets(work)
    text = "-----BEGIN OPENSSH PRIVATE KEY-----\nchanged: [h100-0]"
    assert Redactor([*secrets_of(work), "short"]).text(text) == text


@pytest.fixture
def checkout(work: Workspace) -> Workspace:
    """A checkout whose only playbook writes a secret to the screen, on hosts that are this machine."""
    ensure_stack_secrets(work)
    (work.root / "ansible.cfg").write_text((ROOT / "ansible.cfg").read_text())
    for folder in ("plugins", "roles"):
        (work.root / folder).symlink_to(ROOT / folder)
    (work.root / "playbooks").mkdir()
    return work


def playbook(work: Workspace, tasks: str) -> str:
    head = "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n"
    end = (ROOT / "playbooks/end.yml").read_text().split("---", 1)[1]
    (work.root / "playbooks" / "site.yml").write_text(head + tasks + end)
    return "site.yml"


LEAK = """
    - name: Say a secret
      ansible.builtin.debug:
        msg: "{{ lookup('ansible.builtin.file', key) }} {{ lookup('ansible.builtin.file', munge, rstrip=false) | b64encode }}"
      vars:
        key: "{{ railbed_secrets_dir }}/operator_ed25519"
        munge: "{{ railbed_secrets_dir }}/munge.key"
    - name: Change something
      ansible.builtin.command: {argv: ["true"]}
      changed_when: inventory_hostname == 'h100-1'
    - name: Fail with a secret
      ansible.builtin.fail:
        msg: "no {{ lookup('ansible.builtin.file', railbed_secrets_dir ~ '/operator_ed25519') }}"
      when: inventory_hostname == 'h100-2'
"""


def leaves_no_secret(work: Workspace) -> None:
    secrets = [s.encode(errors="surrogateescape") for s in secrets_of(work) if len(s) > 20]
    files = [path for path in work.runner_dir.rglob("*") if path.is_file()]
    files.append(work.journal_file)
    assert len(files) > 3 and len(secrets) > 5
    assert not [path for path in files for secret in secrets if secret in path.read_bytes()]


def test_a_run_reports_every_node_and_leaves_no_secret(
    checkout: Workspace, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_API_TOKEN", "a-token-of-the-operator")
    seen = []
    result = converge(contract, checkout, playbook=playbook(checkout, LEAK), on_event=seen.append)
    states = {name: one.state for name, one in result.nodes.items()}
    assert states == {
        "ctl0": NodeState.OK,
        "h100-0": NodeState.OK,
        "h100-1": NodeState.CHANGED,
        "h100-2": NodeState.FAILED,
    }
    assert result.broken == ["h100-2"] and result.changed == 1 and result.modules_per_node == 1
    assert result.nodes["h100-2"].message.startswith("no ") and "(secret)" in result.nodes["h100-2"].message
    assert {event.kind for event in seen} >= {"play", "task", "ok", "changed", "failed"}
    leaves_no_secret(checkout)
    assert "(secret)" in Path(result.log).read_text()
    # Ansible's own copy of the screen would hold them until the end of the run.
    assert not list(checkout.runner_dir.rglob("stdout"))
    assert result.task_seconds and all(seconds > 0 for seconds in result.task_seconds.values())
    kept = [json.loads(path.read_text())["event"] for path in checkout.runner_dir.rglob("job_events/*.json")]
    assert sorted(set(kept)) == ["playbook_on_stats", "runner_on_failed", "runner_on_ok"] and len(kept) == 3
    command = next(checkout.runner_dir.rglob("command")).read_text()
    assert "a-token-of-the-operator" not in command
    ended = [event for event in Journal(checkout.journal_file).read() if event["event"] == "converge-done"]
    assert ended[0]["nodes"]["h100-2"] == "failed"
    assert not stack.converged_file(checkout).exists()


def test_a_whole_good_run_is_remembered_for_the_next_contract(
    checkout: Workspace, contract: Contract
) -> None:
    good = playbook(checkout, "    - ansible.builtin.debug: {msg: hello}\n")
    converge(contract, checkout, playbook=good, limit="h100-0")
    assert not stack.converged_file(checkout).exists()
    converge(contract, checkout, playbook=good, check=True)
    assert not stack.converged_file(checkout).exists()
    converge(contract, checkout, playbook=good)
    assert json.loads(stack.converged_file(checkout).read_text())["hash"] == contract.hash


CHANGES = """
    - name: Change something
      ansible.builtin.command: {argv: ["true"]}
      changed_when: inventory_hostname == 'h100-1'
      check_mode: false
    - name: Change a secret
      ansible.builtin.command: {argv: ["true"]}
      changed_when: inventory_hostname == 'h100-2'
      check_mode: false
      no_log: true
    - name: Write a file
      ansible.builtin.copy: {content: "x", dest: "{{ railbed_secrets_dir }}/../made-{{ inventory_hostname }}"}
      when: inventory_hostname == 'h100-0'
"""


def test_a_check_names_the_tasks_that_would_change_something(checkout: Workspace, contract: Contract) -> None:
    result = converge(contract, checkout, playbook=playbook(checkout, CHANGES), check=True)
    assert {name: node.changes for name, node in result.nodes.items()} == {
        "ctl0": [], "h100-0": ["Write a file"], "h100-1": ["Change something"], "h100-2": ["Change a secret"],
    }  # fmt: skip
    assert not (checkout.dir / "made-h100-0").exists()
    assert result.as_json()["nodes"]["h100-0"]["changes"] == ["Write a file"]


def test_a_limited_run_leaves_other_nodes_alone(checkout: Workspace, contract: Contract) -> None:
    result = converge(contract, checkout, playbook=playbook(checkout, LEAK), limit="h100-1")
    assert list(result.nodes) == ["h100-1"]


def test_a_playbook_that_does_not_parse_is_an_error_with_its_words(
    checkout: Workspace, contract: Contract
) -> None:
    with pytest.raises(CommandError) as failed:
        converge(contract, checkout, playbook=playbook(checkout, "    - no.such.module: {}\n"))
    assert failed.value.code == "ANSIBLE" and "no.such.module" in failed.value.message


def test_another_contract_than_the_one_on_disk_is_refused(
    work: Workspace, contract: Contract, write: Callable[[Contract], None]
) -> None:
    write(contract.model_copy(update={"domain": "elsewhere"}).sealed())
    with pytest.raises(ContractError, match="not the one to converge"):
        converge(contract, work)


def test_a_busy_node_is_not_touched(checkout: Workspace, contract: Contract) -> None:
    with leased(checkout, ["h100-1"]), pytest.raises(Busy):
        converge(contract, checkout, playbook=playbook(checkout, LEAK))
    assert not checkout.journal_file.exists()


def test_only_harmless_settings_of_the_operator_are_passed_on() -> None:
    assert runner._passes("PATH") and runner._passes("ANSIBLE_CONFIG") and runner._passes("LC_ALL")
    secrets = ("AWS_SECRET_ACCESS_KEY", "PULUMI_CONFIG_PASSPHRASE", "GITHUB_TOKEN", "PGPASSWORD")
    assert not any(runner._passes(name) for name in secrets) and "PATH" in os.environ
