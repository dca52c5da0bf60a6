"""Role scheduler_api: who gets it, what Slurm is told, and the key that is made on the controller."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.roles.conftest import Recorded, cluster, record
from tests.roles.refusals import Case, ask
from tests.support.contracts import sealed

ROOT = Path(__file__).resolve().parents[2]
KEY = "/var/lib/slurm/slurmctld/jwt_hs256.key"
UNIT = "/etc/systemd/system/slurmrestd.service.d/railbed.conf"
TAGS = "slurm,munge,scheduler_api,slurm_controller,packages"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("scheduler_api") / "checkout"
    yield record(folder, sealed(cluster(scheduler_api="loopback")), container=False, tags=TAGS)


def test_controllers_listen_on_themselves_only(recorded: Recorded) -> None:
    assert not [one.message for one in recorded.collector.nodes.values() if one.failed_task]
    unit = recorded.text("ctl0", UNIT)
    assert "-a rest_auth/jwt -s openapi/v0.0.38 unix:/run/slurmrestd/socket 127.0.0.1:6820\n" in unit
    assert "DynamicUser=yes\n" in unit and "0.0.0.0" not in unit and "rest_auth/local" not in unit
    assert "ExecStart=\nExecStart=/usr/sbin/slurmrestd" in unit, (
        "the package's own start has no place beside it"
    )
    packages = recorded.asked["ctl0"]["packages: Install the packages of all roles"]["packages"]
    assert {"slurmrestd", "slurm-wlm-jwt-plugin"} <= set(packages)
    assert UNIT not in recorded.files["h100-0"]
    assert not {"slurmrestd", "slurm-wlm-jwt-plugin"} & set(
        recorded.asked["h100-0"]["packages: Install the packages of all roles"]["packages"]
    )


def test_slurm_takes_tokens_beside_munge_and_the_key_is_made_before_it_starts(recorded: Recorded) -> None:
    text = recorded.text("h100-0", "/etc/slurm/slurm.conf")
    assert (
        "AuthType=auth/munge\n" in text
        and f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={KEY}\n" in text
    )
    assert text == recorded.text("ctl0", "/etc/slurm/slurm.conf")
    start = recorded.text("ctl0", "/etc/systemd/system/slurmctld.service.d/30-railbed-jwt.conf")
    assert f"ExecStartPre=+/opt/railbed/slurm-jwt-key {KEY}\n" in start
    tasks = list(recorded.asked["ctl0"])
    assert tasks.index("scheduler_api: Make the key") < tasks.index("slurm_controller: Schedule")
    assert tasks.index("slurm_controller: Schedule") < tasks.index("scheduler_api: Listen")
    assert not [path for files in recorded.files.values() for path in files if path.endswith("jwt_hs256.key")]


def test_a_slurm_whose_interface_nobody_knows_is_refused(tmp_path: Path) -> None:
    told = {"scheduler_api_key": KEY, "scheduler_api_loopback": False}
    cases = [
        Case("known", "scheduler_api", {**told, "scheduler_api_slurm_version": "23.11.4"}),
        Case("unknown", "scheduler_api", {**told, "scheduler_api_slurm_version": "19.05.1"}, "19.05.1"),
    ]
    answers = ask(cases, tmp_path)
    assert answers["known"] == "" and "Nobody said which interface" in answers["unknown"]


@pytest.mark.parametrize("before", ["", "kept"])
def test_a_key_is_made_once_for_slurm_alone(tmp_path: Path, before: str) -> None:
    """With a stand-in for chown, as this machine need not know Slurm's user."""
    key, said = tmp_path / "jwt_hs256.key", tmp_path / "said"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/chown").write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    (tmp_path / "bin/chown").chmod(0o755)
    if before:
        key.write_text(before)
        key.chmod(0o644)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    found = set()
    for _ in range(2):
        subprocess.run(
            [ROOT / "roles/scheduler_api/files/make-key", key], check=True, env=environment, timeout=30
        )
        found.add(key.read_bytes())
        assert key.stat().st_mode & 0o777 == 0o600
    (content,) = found
    assert content == before.encode() if before else len(content) == 32
    assert said.read_text().splitlines()[-1] == f"slurm: {key}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "jwt_hs256.key", "said"]
