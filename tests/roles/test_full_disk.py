"""A disk that runs full: the operator's in the middle of a run, and a node's. Small disks of their own, in a namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.roles.plays import ROOT, Plays, plays

from railbed.effects import contract_store

__all__ = ["plays"]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not run: a small disk is mounted as root")
RAILBED = Path(sys.prefix) / "bin/railbed"
FILL = """
    - name: Work
      tree: {files: "{{ {made ~ '/' ~ inventory_hostname: 'hello'} }}"}
    - name: Fill the operator's disk
      ansible.builtin.shell: >-
        dd if=/dev/zero of={{ railbed_secrets_dir }}/../filler bs=4k 2>/dev/null; true
      args: {creates: "{{ made }}/no-more-filling"}
      run_once: true
    - name: Say more than fits
      ansible.builtin.command: {argv: [seq, "20000"]}
      changed_when: true
"""
SCRIPT = """
cp -a .railbed {aside}
mount -t tmpfs -o size=4m none .railbed
cp -a {aside}/. .railbed
{railbed} converge --stack small --json > {made}/first.json 2> {made}/first.err; echo $? > {made}/first
cp .railbed/small/contract.json {made}/contract.json
cp .railbed/small/accepted.json {made}/accepted.json
rm .railbed/small/filler; touch {made}/no-more-filling
{railbed} converge --stack small --json > {made}/second.json 2> {made}/second.err; echo $? > {made}/second
"""


def apart(script: str, folder: Path) -> None:
    """Runs a shell script whose mounts nobody else sees."""
    subprocess.run(
        ["unshare", "-m", "sh", "-uc", script],
        cwd=folder,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT / "infra")},
    )


def test_a_full_disk_of_the_operator_ends_the_run_by_name_and_tears_nothing(plays: Plays) -> None:
    plays.playbook(FILL)
    plays.work.accepted.path.write_text(json.dumps({"h100-0": "id-11"}))
    made = plays.made
    apart(SCRIPT.format(aside=made.parent / "aside", made=made, railbed=RAILBED), plays.work.root)

    def read(name: str) -> Any:
        return json.loads((made / name).read_text())

    assert (made / "first").read_text().strip() == "1"
    error = read("first.json")["error"]
    assert error["code"] == "SYSTEM" and "No space left on device" in error["message"], error
    assert "Traceback" not in (made / "first.err").read_text()
    assert contract_store.load(plays.work, made / "contract.json").hash == plays.contract.hash
    assert read("accepted.json") == {"h100-0": "id-11"}
    assert (made / "second").read_text().strip() == "0", (made / "second.err").read_text()
    assert {node["state"] for node in read("second.json")["nodes"].values()} == {"changed"}
