"""The commands `spec`, `plan` and `catalog`: one JSON document, tables for people, errors raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from railbed.cli import catalog_commands, plan_commands, spec_commands
from railbed.errors import CatalogError, SpecError, UsageError

EXAMPLE = str(Path(__file__).parents[3] / "examples" / "lab-cluster.yaml")


def run(*words: str) -> str:
    """What the command prints; its error is raised."""
    app = typer.Typer()
    for module in (spec_commands, plan_commands, catalog_commands):
        module.register(app)
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception:
        raise done.exception
    return done.stdout


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_validate() -> None:
    assert run_json("spec", "validate", "--spec", EXAMPLE)["valid"] is True
    assert "holds" in run("spec", "validate", "--spec", EXAMPLE)


def test_validate_raises_what_is_wrong() -> None:
    with pytest.raises(SpecError, match="does not exist"):
        run("spec", "validate", "--spec", "absent.yaml")


def test_a_stack_is_looked_for_in_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as outside:
        run("spec", "validate")
    assert outside.value.code == "NO_CHECKOUT"
    (tmp_path / "infra").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: railbed\n")
    with pytest.raises(SpecError, match="does not exist") as absent:
        run("spec", "validate", "--stack", "mine")
    assert absent.value.path == "Pulumi.mine.yaml"
    (tmp_path / "Pulumi.mine.yaml").write_text(Path(EXAMPLE).read_text())
    assert run_json("spec", "validate", "--stack", "mine")["path"] == "Pulumi.mine.yaml"


def test_explain_and_schema() -> None:
    values = {row["path"]: row for row in run_json("spec", "explain", "--spec", EXAMPLE)["values"]}
    assert values["pools[0].machine.rails"]["origin"] == "catalogue"
    assert "pools[0].machine.rails" in run("spec", "explain", "--spec", EXAMPLE)
    assert json.loads(run("spec", "schema"))["title"] == "ClusterSpec"


def test_plan_as_json_and_for_people() -> None:
    made = run_json("plan", "--spec", EXAMPLE)
    assert made["pools"] == [
        {
            "name": "h100",
            "machine": "lab/rail8",
            "nodes": 4,
            "spares": 1,
            "spare_jobs": "last",
            "rails": 8,
            "node_gbps": 0.8,
        }
    ]
    text = run("plan", "--spec", EXAMPLE)
    for words in ("collective.all_reduce@4", "Out of scope", "CAPACITY_NOT_ENFORCED", "sim"):
        assert words in text


def test_catalog() -> None:
    listed = run_json("catalog", "list")
    assert "lab/rail8" in [machine["key"] for machine in listed["machines"]]
    shown = run_json("catalog", "show", "metal/hgx-h100")
    assert (shown["kind"], shown["file"], shown["gpus"]) == ("machines", "machines/metal/hgx-h100.yaml", 8)
    assert shown["provenance"]["nic_gbps"]["source"]
    assert shown["provenance"]["gpus"]["file"] == "boards/hgx-h100.yaml"
    assert "lab/moosefs" in run("catalog", "list")
    assert "not known here" in run("catalog", "show", "metal/hgx-h100")
    assert (
        json.loads(run("catalog", "show", "machines", "--schema"))["title"] == "railbed catalogue: machines"
    )
    assert json.loads(run("catalog", "show", "lab/moosefs", "--schema"))["title"].endswith("filesystems")
    assert run_json("catalog", "show", "boards/hgx-h100")["kind"] == "boards"
    assert "570.124.06" in run("catalog", "show", "2026.11")
    with pytest.raises(CatalogError):
        run("catalog", "show", "lab/rails8")
