"""What holds for every role: documented arguments, names, phases; and that no role knows railbed or a platform."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLATFORM_WORDS = re.compile(r"(?<![\w./-])(lab|aws|azure|gcp|oci|nspawn|simulated)(?![\w-]|\.\w)", re.I)
"""A role that asks for one of these would behave otherwise on real hardware than where it was tested. Inside a longer name
(a package's, an address of documentation) they are a vendor's own."""

ROLE = "ansible.builtin.import_role"


def texts(role: str, *folders: str) -> dict[Path, str]:
    return {
        path: path.read_text()
        for folder in folders
        for path in sorted((ROOT / "roles" / role / folder).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def arguments(role: str) -> dict[str, Any]:
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return {name: option for entry in specs.values() for name, option in entry["options"].items()}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_its_phases(role: str) -> None:
    tasks = ROOT / "roles" / role / "tasks"
    main = [task["ansible.builtin.import_tasks"] for task in load(tasks / "main.yml")]
    # Nothing is changed on a node before its image was seen to be what its profile says.
    last = ["silence.yml"] if role == "image" else []
    assert main[len(main) - len(last) :] == last
    main = main[: len(main) - len(last)]
    order = [name for name in ("install.yml", "configure.yml", "verify.yml") if (tasks / name).exists()]
    assert main == order or (sorted(main) == sorted(order) and "verify.yml" not in main[:-1]), (
        "what verifies comes last"
    )
    assert "configure.yml" in main
    assert all(load(tasks / name) for name in main)


@pytest.mark.parametrize("role", ROLES)
def test_every_argument_is_documented_and_typed(role: str) -> None:
    for name, option in arguments(role).items():
        assert option.get("description") and option.get("type"), name
        if option["type"] == "list":
            assert option.get("elements"), name
        assert option.get("required") or name in (load(ROOT / "roles" / role / "defaults/main.yml") or {}), (
            f"{name} is neither required nor has a default"
        )


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_arguments_and_said_the_same_in_both_places(role: str) -> None:
    known = arguments(role)
    for name, value in (load(ROOT / "roles" / role / "defaults/main.yml") or {}).items():
        assert name in known, f"{name} has a default and is no argument"
        assert known[name].get("default", value) == value, name


@pytest.mark.parametrize("role", ROLES)
def test_names_begin_with_the_role(role: str) -> None:
    values = load(ROOT / "roles" / role / "vars/main.yml") or {}
    names = [*arguments(role), *values]
    assert not [name for name in names if not name.startswith(f"{role}_")]


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reads_railbeds_variables_or_knows_a_platform(role: str) -> None:
    for path, text in texts(role, "tasks", "templates", "vars", "defaults").items():
        expressions = " ".join(re.findall(r"{{.*?}}|{%.*?%}", text, re.S))
        assert not re.search(r"\brailbed_[a-z]+(?!_ed25519)\b", re.sub(r"'[^']*'", "", expressions)), path
        assert not PLATFORM_WORDS.search(text), path


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_ignored(role: str) -> None:
    for path, text in texts(role, "tasks", "templates", "files").items():
        assert "ignore_errors" not in text and "|| true" not in text, path


def test_the_mapping_names_only_arguments_and_its_own_helpers() -> None:
    known = {name for role in ROLES for name in arguments(role)}
    for path in (ROOT / "playbooks/group_vars").glob("*.yml"):
        unknown = [name for name in load(path) if name not in known and not name.startswith("railbed_")]
        assert not unknown, f"{path.name}: {unknown}"


def test_playbooks_check_arguments_and_gate_by_group() -> None:
    *plays, end = load(ROOT / "playbooks/site.yml")
    assert end["ansible.builtin.import_playbook"] == "end.yml"
    for play in plays:
        assert "when" not in str(play), play["name"]
        roles = [task[ROLE] for task in play["tasks"] if ROLE in task]
        others = [task["ansible.builtin.import_tasks"] for task in play["tasks"] if ROLE not in task]
        assert others in ([], ["tasks/boot.yml"]), play["name"]
        assert all(role["name"] in ROLES for role in roles)
        checked = "tasks/arguments.yml" in str(play.get("pre_tasks"))
        assert checked or all(role.get("rolespec_validate", True) for role in roles), play["name"]


def test_nodes_with_gpus_mount_after_the_boot_and_the_cards_drivers_and_before_jobs() -> None:
    """A kernel module of a client is for the kernel that runs, and LNet needs the cards; controllers come first."""
    at: dict[tuple[str, str], int] = {}
    for number, play in enumerate(load(ROOT / "playbooks/site.yml")[:-1]):
        for task in play["tasks"]:
            name = task[ROLE]["name"] if ROLE in task else "boot"
            if task.get(ROLE, {}).get("tasks_from") == "admission":
                continue
            at.setdefault((name, play["hosts"]), number)
    first = {name: min(n for (one, _), n in at.items() if one == name) for name, _ in at}
    for role, group in (("lnet", "lnet_nodes"), ("filesystem_client", "filesystem_clients")):
        assert first["filesystem_server"] < at[role, f"{group}:!gpu_nodes"] < first["slurm_controller"]
        late = at[role, f"{group}:&gpu_nodes"]
        assert max(first[one] for one in ("boot", "nvidia_driver", "rdma")) < late
        needs = ("container_runtime", "training_stack", "nccl", "checks", "slurm_node")
        assert late < min(first[one] for one in needs)
    assert at["lnet", "lnet_nodes:&gpu_nodes"] < at["filesystem_client", "filesystem_clients:&gpu_nodes"]


def test_a_repair_runs_again_what_ran_once_at_the_boot_before_the_roles() -> None:
    """Of every role whose unit runs once, sets what the kernel or a card holds, and is started anew under no job."""
    first, then = load(ROOT / "playbooks/repair.yml")
    assert then["ansible.builtin.import_playbook"] == "upgrade.yml"
    argv = first["tasks"][0]["ansible.builtin.command"]["argv"]
    assert argv[:2] == ["systemctl", "restart"] and all("*" in one for one in argv[2:])
    held = ("acs", "processors", "read_requests", "nvidia_persistence")
    units = {
        name
        for role in held
        for text in texts(role, "vars", "tasks").values()
        for name in re.findall(r"railbed-[a-z-]+\.service", text)
    }
    assert {one.replace("*", "") for one in argv[2:]} == units and len(units) == len(held)


def test_nodes_that_do_not_sign_keep_nothing_of_the_key() -> None:
    values = load(ROOT / "roles/module_signing/vars/main.yml")
    told = load(ROOT / "playbooks/group_vars/all.yml")
    assert sorted(told["railbed_signing_files"]) == sorted(values["module_signing_files"])
    assert told["base_gone"] == "{{ [] if 'signing_nodes' in group_names else railbed_signing_files }}"
    (task,) = [
        one for one in load(ROOT / "roles/base/tasks/configure.yml") if one["name"] == "Write who is who"
    ]
    assert task["tree"]["absent"].endswith("+ base_gone }}")


def test_every_role_is_used() -> None:
    plays = [play for name in ("site.yml", "bake.yml") for play in load(ROOT / "playbooks" / name)]
    used = {task[ROLE]["name"] for play in plays for task in play.get("tasks", ()) if ROLE in task}
    assert sorted(used) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_templates_are_rendered_without_a_copy_of_all_variables(role: str) -> None:
    """Ansible's own lookup copies them each time: docs/adr/0014-ansibles-own-strategy.md."""
    said = "\n".join(texts(role, "tasks", "vars", "defaults", "templates").values())
    assert "lookup('ansible.builtin.template'" not in said


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reboots_a_node(role: str) -> None:
    """A boot ends whatever runs: it is the drain path's, which asks the scheduler first."""
    said = "\n".join(texts(role, "tasks", "handlers").values())
    assert not re.search(r"ansible\.builtin\.reboot|systemctl, (?:reboot|kexec)|shutdown -r|\breboot:", said)
