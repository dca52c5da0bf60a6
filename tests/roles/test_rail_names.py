"""Role rails: a card gets its rail's name by its slot, at a boot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from tests.roles import local
from tests.roles.test_rails import FILE, LINK, ROOT, sections
from tests.unit.configure import modules


def test_a_card_keeps_its_name_by_its_slot() -> None:
    text = (ROOT / "roles/rails/templates/rail.link.j2").read_text()
    made = jinja2.Template(text).render(rails_link=LINK, rails_paths={"rail0": "pci-0000:18:00.0"})
    assert sections(made) == {"Match": {"Path": "pci-0000:18:00.0"}, "Link": {"Name": "rail0"}}


SLOT = "pci-0000:18:00.0"
ANSWER = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {{"changed": False, "reasons": [], "names": {names}}}
"""


def configured(folder: Path, names: list[str], paths: dict[str, str]) -> tuple[str, list[str], str]:
    """The role's tasks on a node whose cards have these faults: how it ended, what was asked of modules, and what was said."""
    actions = folder / "actions"
    actions.mkdir(parents=True)
    for module in ("tree", "sysctls"):
        shutil.copy(ROOT / "tests/roles/recorder.py", actions / f"{module}.py")
    (actions / "reboot_required.py").write_text(ANSWER.format(names=names))
    asked = []

    def take(event: dict[str, Any]) -> bool:
        data = event.get("event_data") or {}
        if event["event"] == "runner_on_ok" and data["task_action"] in ("tree", "sysctls"):
            asked.extend(data["res"]["asked"].get("files") or ["sysctls"])
        return False

    done = local.play(
        folder, local.role("rails"), settings={"ANSIBLE_ACTION_PLUGINS": str(actions)}, event_handler=take,
        extravars={"rails_links": [LINK], "rails_paths": paths},
    )  # fmt: skip
    return done.status, asked, done.stdout.read()


def test_names_are_written_first_and_nothing_is_set_before_they_are_the_cards(tmp_path: Path) -> None:
    link = FILE.format(0).replace(".network", ".link")
    status, asked, said = configured(
        tmp_path / "yet", ["rail0 is not the card in x, but nothing"], {"rail0": SLOT}
    )
    assert status == "failed" and asked == [link]
    assert "rail0 is not the card in x, but nothing. Names take effect at the next boot" in said
    status, asked, said = configured(tmp_path / "booted", [], {"rail0": SLOT})
    assert status == "successful", said
    assert asked[:3] == [link, "sysctls", FILE.format(0)] and asked.count(link) == 1
    status, asked, said = configured(tmp_path / "told none", ["never asked"], {})
    assert status == "successful" and asked[:2] == ["sysctls", FILE.format(0)], said


@pytest.mark.parametrize(
    ("paths", "left"), [({}, ["rail0", "rail1"]), ({"rail0": SLOT}, ["rail1"]), (None, ["rail0", "rail1"])]
)
def test_a_card_that_may_not_have_its_name_yet_is_not_asked_for_it_before(
    paths: dict[str, str] | None, left: list[str], tmp_path: Path
) -> None:
    mapping = yaml.safe_load((ROOT / "playbooks/group_vars/all.yml").read_text())
    told = {"railbed_links": {"rail0": 9000, "rail1": 9000}, "tuning_rails": mapping["tuning_rails"]}
    if paths is not None:
        told["railbed_rail_paths"] = paths
    play = {
        "hosts": "all", "gather_facts": False, "vars": told,
        "tasks": [{"name": "Links", "ansible.builtin.assert": {"that": f"tuning_rails.keys() | list == {left}"}}],
    }  # fmt: skip
    done = local.play(tmp_path, [play])
    assert done.status == "successful", done.stdout.read()


BOOT = modules.load("reboot_required")
BOOTED = 1_700_000_000


@pytest.mark.parametrize(
    ("slot", "written", "wrong", "boots"),
    [
        (SLOT, BOOTED + 60, "", False),
        (None, BOOTED + 60, f"rail0 is not the card in {SLOT}, but nothing", True),
        ("pci-0000:19:00.0", BOOTED + 60, f"rail0 is not the card in {SLOT}, but pci-0000:19:00.0", True),
        ("", BOOTED + 60, f"rail0 is not the card in {SLOT}, but a card without a slot", True),
        (None, BOOTED - 60, f"rail0 is not the card in {SLOT}, but nothing", False),
    ],
)
def test_a_name_that_waits_for_a_boot_is_a_reason_for_one(
    slot: str | None, written: int, wrong: str, boots: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boot that was since could not give the name, so another one would not either."""
    file = tmp_path / FILE.format(0).replace(".network", ".link").lstrip("/")
    file.parent.mkdir(parents=True)
    text = (ROOT / "roles/rails/templates/rail.link.j2").read_text()
    file.write_text(jinja2.Template(text).render(rails_link=LINK, rails_paths={"rail0": SLOT}))
    os.utime(file, (written, written))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(f"cpu 1 2\nbtime {BOOTED}\nprocesses 9\n")
    if slot is not None:
        (tmp_path / "sys/class/net/rail0").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    told = f"\\nID_PATH={slot}" if slot else ""
    modules.program(tmp_path / "bin", "udevadm", f"print('ID_BUS=pci{told}')\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    said = modules.call(BOOT, root=str(tmp_path), release="6.1.0")
    assert said["names"] == ([wrong] if wrong else [])
    assert said["reasons"] == ([wrong] if boots else [])
