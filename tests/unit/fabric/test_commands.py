"""`railbed fabric …` as users and programs call it: keys, exit statuses, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from railbed.cli.main import assemble, main

APP = assemble(["fabric"])
"""Made once: attaching a command again and again would make every run slower."""

DATA = Path(__file__).parents[1] / "data/fabric"
SPEC = Path(__file__).parents[3] / "examples/lab-cluster.yaml"
SMALL = ("--nodes", "4", "--rails", "2", "--radix", "4")


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, out: str, err: str, status: int) -> None:
        self.out, self.err, self.status = out, err, status

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def railbed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["railbed", "fabric", *words])
        monkeypatch.setattr("railbed.cli.main.assemble", lambda _: APP)
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(out, err, int(left.value.code or 0))

    return run


def test_the_noun_is_there() -> None:
    shown = CliRunner().invoke(APP, ["fabric", "--help"])
    assert all(verb in shown.output for verb in ("plan", "export", "draw", "verify"))


def test_plan_has_the_keys_of_the_design(railbed: Any) -> None:
    ran = railbed("plan", "--nodes", "512", "--json")
    assert ran.status == 0
    document = ran.json
    assert {k: document[k] for k in ("nodes", "rails", "radix", "planes", "tiers", "moved")} == {
        "nodes": 512, "rails": 8, "radix": 64, "planes": 1, "tiers": 3, "moved": [],
    }  # fmt: skip
    assert document["switches"] == {"leaf": 128, "spine": 128, "core": 64}
    assert document["cables"] == {"node_leaf": 4096, "leaf_spine": 4096, "spine_core": 4096}
    assert document["warnings"] == []


def test_plan_lists_what_moves(railbed: Any) -> None:
    moved = railbed("plan", "--nodes", "64", "--grow-from", "32", "--json").json["moved"]
    assert len(moved) == 128
    assert moved[0] == {
        "tier": "leaf_spine", "plane": 0, "rail": 0, "from": "leaf0", "from_port": 37,
        "to": "spine0", "to_port": 9, "new_to": "spine4", "new_to_port": 1,
    }  # fmt: skip
    designed = ("--grow-from", "32", "--design-nodes", "64")
    assert railbed("plan", "--nodes", "64", *designed, "--json").json["moved"] == []
    assert "128 cables move" in railbed("plan", "--nodes", "64", "--grow-from", "32").out


def test_plan_in_words(railbed: Any) -> None:
    ran = railbed("plan", "--nodes", "127", "--switch", "nvidia/qm9700", "--node-transceiver-ports", "2")
    assert ran.status == 0
    for words in ("4 scalable units of 32", "2040", "1536", "508", "nobody published"):
        assert words in ran.out


def test_a_warning_changes_no_status(railbed: Any) -> None:
    ran = railbed("plan", "--nodes", "64", "--oversubscription", "1.5", "--json")
    assert ran.status == 0
    assert [w["code"] for w in ran.json["warnings"]] == ["FABRIC_PORTS_UNUSED"]
    assert "38:26 or 39:25" in railbed("plan", "--nodes", "64", "--oversubscription", "1.5").out


def test_a_switch_gives_radix_rate_and_cages(railbed: Any) -> None:
    document = railbed("plan", "--nodes", "64", "--switch", "nvidia/sn5600", "--radix", "128", "--json").json
    assert document["radix"] == 128
    assert document["bill"]["transceivers"]["switch"] == 768
    assert railbed("plan", "--nodes", "1296", "--switch", "nvidia/q3400-ra", "--json").json["tiers"] == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--nodes", "0"), "FABRIC_RANGE"),
        (("--nodes", "1000000000"), "FABRIC_RADIX_LIMIT"),
        (("--nodes", "8", "--radix", "6.5"), "USAGE"),
        (("--nodes", "x"), "USAGE"),
        (("--nodes", "8", "--oversubscription", "0.5"), "FABRIC_OVERSUBSCRIPTION"),
        (("--nodes", "8", "--oversubscription", "nan"), "FABRIC_OVERSUBSCRIPTION"),
        (("--nodes", "8", "--oversubscription", "-1"), "FABRIC_OVERSUBSCRIPTION"),
        (("--nodes", "8", "--switch", "nvidia/qm970"), "CATALOG_UNKNOWN_KEY"),
        (("--nodes", "8", "--switch", "nvidia/qm9700", "--radix", "65"), "FABRIC_RANGE"),
        (("--nodes", "8", "--grow-from", "9"), "FABRIC_RANGE"),
        (("--nodes", "8", "--grow-from", "0"), "FABRIC_RANGE"),
        (("--nodes", "8", "--node-name", "same"), "FABRIC_NAMES"),
        (("--spec", "no-such-file.yaml"), "SPEC_FILE"),
    ],
)
def test_bad_input_is_one_json_document_and_status_2(railbed: Any, words: tuple[str, ...], code: str) -> None:
    ran = railbed("plan", *words, "--json")
    assert ran.status == 2
    assert ran.json["error"]["code"] == code


def test_without_nodes_outside_a_checkout(
    railbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = railbed("plan", "--json")
    assert ran.status == 2
    assert "--nodes N" in ran.json["error"]["hint"]


def test_the_fabric_of_a_spec_has_its_hosts_and_nics(railbed: Any) -> None:
    ran = railbed("export", "--spec", str(SPEC), "--format", "csv")
    assert ran.status == 0
    assert "node_leaf,0,7,h100-4,rail7,leaf7,5" in ran.out.splitlines()


def test_export_to_a_file_is_what_stdout_gets(railbed: Any, tmp_path: Path) -> None:
    target = tmp_path / "map.csv"
    assert railbed("export", *SMALL, "--format", "csv", "--output", str(target)).status == 0
    assert target.read_text() == railbed("export", *SMALL, "--format", "csv").out


def test_export_refuses(railbed: Any, tmp_path: Path) -> None:
    ran = railbed("export", *SMALL, "--format", "visio")
    assert (ran.status, "slurm-block" in ran.err) == (2, True)
    ran = railbed("export", *SMALL, "--format", "csv", "--output", str(tmp_path))
    assert (ran.status, "cannot be written" in ran.err) == (2, True)
    assert railbed("export", *SMALL, "--format", "ibnetdiscover", "--link-gbps", "3").status == 2


def test_draw(railbed: Any, tmp_path: Path) -> None:
    target = tmp_path / "f.svg"
    assert railbed("draw", "--nodes", "40", "--output", str(target)).status == 0
    assert target.read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("file", "status", "verdict"),
    [
        ("plan.ibnetdiscover", 0, "pass"),
        ("plan.net", 0, "pass"),
        ("swapped.iblinkinfo", 1, "fail"),
        ("unplugged.ports", 1, "fail"),
        ("lldp-all.json", 3, "unproven"),
    ],
)
def test_verify(railbed: Any, file: str, status: int, verdict: str) -> None:
    ran = railbed("verify", *SMALL, "--observed", str(DATA / file), "--json")
    assert (ran.status, ran.json["verdict"]) == (status, verdict)
    assert all(d.keys() >= {"kind", "ends", "expected"} for d in ran.json["differences"])
    assert verdict in railbed("verify", *SMALL, "--observed", str(DATA / file)).out


def test_verify_names_both_ends_and_both_peers(railbed: Any) -> None:
    ran = railbed("verify", *SMALL, "--observed", str(DATA / "swapped.ibnetdiscover"), "--json")
    assert {
        "kind": "swapped",
        "ends": ["leaf3 port 1", "node-2 mlx5_0"],
        "expected": ["node-2 mlx5_1", "leaf2 port 1"],
        "tier": "node_leaf",
        "detail": "leaf3 port 1 should meet node-2 mlx5_1; node-2 mlx5_0 should meet leaf2 port 1",
    } in ran.json["differences"]


def test_verify_with_a_rate(railbed: Any) -> None:
    ran = railbed(
        "verify", *SMALL, "--link-gbps", "400", "--observed", str(DATA / "plan.ibnetdiscover"), "--json"
    )
    assert ran.status == 1
    assert {d["kind"] for d in ran.json["differences"]} == {"slow"}


@pytest.mark.parametrize("text", ["", "not a fabric", "{}"])
def test_verify_of_something_else_is_status_2(railbed: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    ran = railbed("verify", *SMALL, "--observed", str(file), "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "FABRIC_NOT_READ")
    assert railbed("verify", *SMALL, "--observed", str(tmp_path / "none"), "--json").status == 2


def test_verify_of_another_cluster_is_status_3(railbed: Any) -> None:
    for other in (
        ("--nodes", "128"),
        ("--nodes", "4", "--node-name", "gpu{node}", "--switch-name", "x{tier}{index}"),
    ):
        ran = railbed("verify", *other, "--observed", str(DATA / "plan.ibnetdiscover"), "--json")
        assert (ran.status, ran.json["verdict"]) == (3, "unproven")
