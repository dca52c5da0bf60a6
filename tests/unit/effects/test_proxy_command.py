"""The command of each way: what OpenSSH is given, and what a shell makes of it. Nothing is connected to."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.configure.conftest import small
from tests.unit.contract.conftest import HOST_KEY, PROXIES

from railbed.contract import Identity, Jump, Node, Proxy, Ssh, Through
from railbed.effects import proxy_command
from railbed.effects.remote import write_ssh_files
from railbed.effects.workspace import Workspace


def node(proxy: Proxy | None) -> Node:
    ssh = Ssh(user="railbed", proxy=proxy, host_keys=[HOST_KEY])
    return Node(
        name="h100-0", pool="h100", role="compute", machine="", gpus=0, cpus=0, memory_mib=0, address="10.0.0.9", ssh=ssh,
        rails=[], scalable_unit=0, identity=Identity(kind="instance_id", value="i-0abc"),
    )  # fmt: skip


def words(work: Workspace, proxy: Proxy) -> list[str]:
    """As a shell splits the command, tokens of OpenSSH put in."""
    command = proxy_command.lines(work, node(proxy))[0].removeprefix("  ProxyCommand ")
    text = command.replace("%%", "\0").replace("%h", "10.0.0.9").replace("%p", "22").replace("\0", "%")
    return shlex.split(text)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """In a folder whose name means something to a shell and to OpenSSH."""
    return Workspace(tmp_path / "100% $(touch made); a 'key'", "prod")


def test_each_way_has_its_command(work: Workspace) -> None:
    netns, jump, through, ssm, iap, bastion = (words(work, proxy) for proxy in PROXIES)
    assert netns == ["ip", "netns", "exec", "rb-1a2b3c-c", "nc", "-F", "10.0.0.9", "22"]
    assert jump[:9] == ["ssh", "-F", "/dev/null", "-i", str(work.operator_key), "-l", "railbed", "-p", "22"]
    assert jump[-3:] == ["-W", "10.0.0.9:22", "198.51.100.7"]
    assert through == ["ssh", "-F", str(work.ssh_config), "-W", "10.0.0.9:22", "ctl0"]
    assert " ".join(ssm) == (
        "aws ssm start-session --region us-east-2 --target i-0abc --document-name AWS-StartSSHSession "
        "--parameters portNumber=22"
    )
    assert " ".join(iap) == (
        "gcloud compute start-iap-tunnel rb-0-h200-abcd 22 --listen-on-stdin --project example.com:project "
        "--zone europe-west1-b --verbosity error"
    )
    assert bastion == [
        sys.executable, "-m", "railbed.platforms.oci.login", "ocid1.bastion.oc1.iad.a", "us-ashburn-1", "10.0.0.9",
        str(work.operator_key),
    ]  # fmt: skip


def test_only_a_namespace_hands_back_a_descriptor(work: Workspace) -> None:
    assert [len(proxy_command.lines(work, node(proxy))) for proxy in PROXIES] == [2, 1, 1, 1, 1, 1]
    assert proxy_command.lines(work, node(PROXIES[0]))[1] == "  ProxyUseFdpass yes"
    assert proxy_command.lines(work, node(None)) == []


def test_openssh_understands_the_way_through_a_gate(work: Workspace) -> None:
    argv = words(work, Jump(host="198.51.100.7", user="railbed", host_key=f"{HOST_KEY} root@gate"))
    shown = subprocess.run(
        [argv[0], "-G", *argv[1:]], capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()
    for line in (
        "hostname 198.51.100.7", "user railbed", "stricthostkeychecking true", "hostkeyalias railbed-gate", "batchmode yes",
        "userknownhostsfile /dev/null", f"knownhostscommand /bin/echo railbed-gate {HOST_KEY}",
    ):  # fmt: skip
        assert line in shown


def test_a_comment_of_a_host_key_is_no_word_of_the_command(work: Workspace) -> None:
    proxy = Jump(host="198.51.100.7", user="railbed", host_key=f"{HOST_KEY} $(touch made); touch made")
    (line,) = proxy_command.lines(Workspace(Path("/plain"), "prod"), node(proxy))
    assert HOST_KEY in line and "touch" not in line


def test_ssh_runs_the_command_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real ssh, with a stand-in for the program that the command starts."""
    work = Workspace(tmp_path / "$(touch made); a 'key'", "prod")
    programs = tmp_path / "programs"
    programs.mkdir()
    ssh = subprocess.run(["which", "ssh"], capture_output=True, text=True, check=True).stdout.strip()
    (programs / "ssh").write_text(
        f'#!/bin/sh\n[ "$3" = -W ] || exec {ssh} "$@"\nprintf "%s\\n" "$@" > {tmp_path}/said\n'
    )
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    made = small()
    behind = made.nodes[1].model_copy(
        update={"ssh": made.nodes[1].ssh.model_copy(update={"proxy": Through(node="ctl0")})}
    )
    work.secrets.mkdir(parents=True)
    write_ssh_files(work, made.model_copy(update={"nodes": [made.nodes[0], behind]}))
    done = subprocess.run(
        ["ssh", "-F", work.ssh_config, "h100-0", "true"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 255
    assert (tmp_path / "said").read_text().splitlines() == [
        "-F",
        str(work.ssh_config),
        "-W",
        "10.90.0.11:22",
        "ctl0",
    ]
    assert not list(tmp_path.rglob("made"))
