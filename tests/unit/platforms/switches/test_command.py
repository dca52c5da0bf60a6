"""`railbed fabric switches`: files, exit statuses, differences that show what would change and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed.cli.main import assemble, main
from railbed.fabric import Names, infiniband

from .cases import SMALL as FABRIC

APP = assemble(["fabric"])
SMALL = ("--nodes", "4", "--rails", "2", "--radix", "4")


@pytest.fixture
def railbed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*words: str, status: int = 0) -> Any:
        monkeypatch.setattr("sys.argv", ["railbed", "fabric", "switches", *SMALL, *words])
        monkeypatch.setattr("railbed.cli.main.assemble", lambda _: APP)
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err and left.value.code == status, err
        return json.loads(out) if "--json" in words else out

    return run


@pytest.mark.parametrize("system", ["nvue", "sonic"])
def test_a_folder_per_switch_and_the_rails(railbed: Any, tmp_path: Path, system: str) -> None:
    to = tmp_path / "out"
    said = railbed("--os", system, "--output", str(to), "--json")
    assert (said["configurations"], said["findings"], said["applied"]) == (6, [], False)
    assert {path.name for path in to.iterdir()} == {
        "leaf0", "leaf1", "leaf2", "leaf3", "spine0", "spine1", "rails.csv",
    }  # fmt: skip
    rails = (to / "rails.csv").read_text().splitlines()
    assert rails[1] == "node-0,0,0,mlx5_0,10.128.0.1/31,10.128.0.0,leaf0,1" and len(rails) == 1 + 4 * 2


@pytest.mark.parametrize("system", ["nvue", "sonic"])
def test_what_runs_as_planned_does_not_differ(railbed: Any, tmp_path: Path, system: str) -> None:
    to = str(tmp_path / "out")
    railbed("--os", system, "--output", to)
    said = railbed("--os", system, "--output", to, "--against", to, "--json")
    assert said["differences"] == []
    assert "Nothing was applied" in railbed("--os", system, "--output", to, "--against", to)


def test_what_would_change_is_shown_and_what_railbed_does_not_set_is_not(
    railbed: Any, tmp_path: Path
) -> None:
    now = tmp_path / "now"
    railbed("--os", "nvue", "--output", str(now))
    file = now / "leaf0/startup.yaml"
    text = file.read_text().replace("mtu: 9216", "mtu: 1500", 1)
    text += "- set:\n    system:\n      aaa:\n        user: {ops: {hashed-password: $6$topsecret}}\n"
    file.write_text("- header: {version: x}\n" + text.replace("10.128.0.0/31: {}", "192.0.2.0/31: {}"))
    said = railbed(
        "--os", "nvue", "--output", str(tmp_path / "new"), "--against", str(now), "--json", status=1
    )
    (difference,) = said["differences"]
    diff = difference["diff"].splitlines()
    assert (difference["switch"], difference["file"]) == ("leaf0", "startup.yaml")
    assert "-          mtu: 1500" in diff and "+          mtu: 9216" in diff
    assert "-            192.0.2.0/31: {}" in diff and "+            10.128.0.0/31: {}" in diff
    assert "topsecret" not in difference["diff"]


def test_sonics_own_entries_stay_and_stale_ones_go(railbed: Any, tmp_path: Path) -> None:
    now = tmp_path / "now"
    railbed("--os", "sonic", "--output", str(now))
    file = now / "leaf0/config_db.json"
    tables = json.loads(file.read_text())
    tables["PORT"]["Ethernet0"]["lanes"] = "1,2,3,4"
    tables["DEVICE_METADATA"]["localhost"]["mac"] = "02:00:00:00:00:01"
    tables["TACPLUS"] = {"global": {"passkey": "topsecret"}}
    file.write_text(json.dumps(tables))
    frr = now / "leaf0/frr.conf"
    frr.write_text(frr.read_text() + "no fpm use-next-hop-groups\nfpm address 127.0.0.1\n")
    words = ("--os", "sonic", "--output", str(tmp_path / "new"), "--against", str(now))
    assert railbed(*words, "--json")["differences"] == []
    tables["INTERFACE"]["Ethernet0|192.0.2.0/31"] = {}
    file.write_text(json.dumps(tables))
    frr.write_text(frr.read_text() + "router bgp 65000\n neighbor 192.0.2.9 password topsecret\n")
    said = railbed(*words, "--json", status=1)
    database, routing = said["differences"]
    assert '-    "Ethernet0|192.0.2.0/31": {}' in database["diff"]
    assert "- neighbor 192.0.2.9 password …" in routing["diff"] and "topsecret" not in str(said)


def test_a_switch_that_was_not_fetched_counts_as_empty(railbed: Any, tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    words = ("--os", "nvue", "--output", str(tmp_path / "new"), "--against", str(tmp_path / "now"))
    assert len(railbed(*words, "--json", status=1)["differences"]) == 6
    assert "+++ planned/spine1/startup.yaml" in railbed(*words, status=1)


def test_infiniband(railbed: Any, tmp_path: Path) -> None:
    to = str(tmp_path / "out")
    before = railbed("--os", "opensm", "--output", to, "--json")
    assert [warning["code"] for warning in before["warnings"]] == ["SWITCH_GUIDS"] and before["files"] == 1
    seen, tenants = tmp_path / "seen", tmp_path / "p.yaml"
    seen.write_text("".join(infiniband.ibnetdiscover(FABRIC, Names(), 400)))
    tenants.write_text('partitions: [{name: a, pkey: "0x5", full: ["node-[0-3]"]}]\n')
    words = (
        "--os",
        "opensm",
        "--output",
        to,
        "--observed",
        str(seen),
        "--partitions",
        str(tenants),
        "--json",
    )
    assert railbed(*words)["files"] == 6
    running = tmp_path / "now/subnet"
    running.mkdir(parents=True)
    for file in (tmp_path / "out/subnet").iterdir():
        mine = "# mine\nlog_level 3\n" if file.name == "opensm.conf" else ""
        (running / file.name).write_text(mine + file.read_text())
    assert railbed(*words, "--against", str(tmp_path / "now"))["differences"] == []
    railbed(*words[:4], "--partitions", str(tenants), "--json", status=2)


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("--os", "eos"), "--os"),
        (("--os", "nvue", "--switch", "nvidia/qm9700"), "--os"),
        (("--os", "opensm", "--switch", "nvidia/sn5600"), "--os"),
        (("--os", "nvue", "--link-gbps", "800"), "--adaptive-routing"),
        (("--os", "nvue", "--rails-network", "10.0.0.1/9"), "--rails-network"),
        (("--os", "nvue", "--rails-network", "10.112.0.0/12"), "--rails-network"),
        (("--os", "sonic", "--port-step", "0"), "--port-step"),
        (("--os", "opensm", "--subnet-manager", "x"), "--subnet-manager"),
        (("--os", "nvue", "--against", "/nowhere"), "--against"),
    ],
)
def test_usage(railbed: Any, tmp_path: Path, words: tuple[str, ...], path: str) -> None:
    to = tmp_path / "out"
    assert railbed(*words, "--output", str(to), "--json", status=2)["error"]["path"] == path
    assert not to.exists()


def test_adaptive_routing_can_be_left_out(railbed: Any, tmp_path: Path) -> None:
    railbed("--os", "nvue", "--link-gbps", "800", "--no-adaptive-routing", "--output", str(tmp_path))
    assert "adaptive" not in (tmp_path / "leaf0/startup.yaml").read_text()


def test_other_switches_files_are_not_written_among(railbed: Any, tmp_path: Path) -> None:
    (tmp_path / "leaf99").mkdir()
    refused = railbed("--os", "nvue", "--output", str(tmp_path), "--json", status=2)
    assert refused["error"]["found"] == ["leaf99"]


def test_port_names_follow_the_switch(railbed: Any, tmp_path: Path) -> None:
    words = ("--os", "sonic", "--switch", "nvidia/sn4600c", "--output", str(tmp_path), "--json")
    assert railbed(*words)["warnings"][0]["code"] == "SWITCH_ADAPTIVE"
    assert set(json.loads((tmp_path / "leaf0/config_db.json").read_text())["PORT"]) == {
        "Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12",
    }  # fmt: skip
