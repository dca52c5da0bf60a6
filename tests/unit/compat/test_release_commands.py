"""`software diff`, `sbom` and `mirror --dry-run` on the catalogue's own releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner

from railbed import catalog
from railbed.cli import software_commands
from railbed.errors import CatalogError, RailbedError, UsageError
from railbed.software.artefacts import artefacts
from railbed.software.compat.difference import difference
from railbed.software.sbom import sbom

RULES = catalog.load_rules()
OLD, NEW = catalog.load_release("2026.11"), catalog.load_release("2026.12")


def call(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    software_commands.register(app)
    done = CliRunner().invoke(app, ["software", *words], env={"COLUMNS": "200"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_what_an_upgrade_changes_and_asks_for() -> None:
    code, text = call("diff", "2026.11", "2026.12", "--machine", "aws/p5.48xlarge", "--json")
    found = json.loads(text)
    assert (code, found["from"], found["to"], found["os"]) == (0, "2026.11", "2026.12", "ubuntu 24.04")
    changed = {one["component"]: one for one in found["changed"]}
    driver = changed["nvidia_driver"]
    assert (driver["before"], driver["after"]) == ("570.124.06-0ubuntu1", "595.71.05-1ubuntu1")
    assert driver["asks"] == ["drain", "reboot", "rebuild"] and driver["rebuilds"] == ["gdrcopy"]
    assert changed["fabric_manager"]["after"] == driver["after"]
    assert set(changed["nccl"]["rebuilds"]) == {"nccl_tests", "net_plugin"}
    assert all(one["reason"] and one["source"] and one["why"] for one in changed.values())
    assert not {"slurm", "munge"} & changed.keys()
    assert [one["component"] for one in found["added"]] == ["driver_pinning"] and found["removed"] == []
    assert found["asks"] == ["drain", "restart", "reboot", "rebuild"]
    code, text = call("diff", "2026.11", "2026.12")
    assert code == 0 and "together: drain, restart, reboot, rebuild" in text and "1.43.2" in text


def test_in_the_lab_only_what_its_hosts_have_differs() -> None:
    lab = catalog.load_machine("lab/rail8")
    changed = difference(OLD, NEW, RULES, lab, "debian 12", ["moosefs"]).changed
    assert {one.component for one in changed if "in_lab" not in one.component} >= {"nvidia_driver"}
    assert not {"torch", "slurm", "moosefs"} & {one.component for one in changed}


def test_added_and_removed_turn_round_and_a_release_differs_not_from_itself() -> None:
    fewer = OLD.model_copy(update={"components": {n: p for n, p in OLD.components.items() if n != "enroot"}})
    gone, new = (difference(a, b, RULES, None, "", []) for a, b in ((OLD, fewer), (fewer, OLD)))
    assert [c.component for c in gone.removed] == [c.component for c in new.added] == ["enroot"]
    assert (gone.removed[0].after, new.added[0].before) == ("", "")
    assert gone.changed == new.changed == []
    same = difference(OLD, OLD, RULES, None, "", [])
    assert (same.added, same.removed, same.changed, same.asks) == ([], [], [], [])


@pytest.mark.parametrize(
    "machine", ["", "metal/hgx-b200", "aws/p5.48xlarge", "metal/gb300-nvl72", "lab/rail8"]
)
@pytest.mark.parametrize("release", [OLD, NEW], ids=lambda release: release.key)
def test_a_bill_of_materials_holds_against_the_schema(release: catalog.Release, machine: str) -> None:
    known = catalog.load_machine(machine) if machine else None
    text = sbom(release, RULES, known, "debian 12" if machine.startswith("lab/") else "", ["lustre"])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == sbom(release, RULES, known, "debian 12" if machine.startswith("lab/") else "", ["lustre"])
    document = json.loads(text)
    parts = document["components"]
    assert len({one["bom-ref"] for one in parts}) == len(parts)
    assert all(one["version"] and one["properties"] for one in parts)
    assert all(
        one.get("purl") for one in parts if one["type"] != "operating-system" or one["name"] == "kernel"
    )
    assert "kernel_modules" not in {one["name"] for one in parts}
    needs = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert sorted(needs[f"release@{release.key}"]) == sorted(one["bom-ref"] for one in parts)


def test_hashes_keys_and_package_urls_are_in_it(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    code, shown = call("sbom", "2026.12", "-m", "metal/hgx-h100", "-o", str(target))
    assert (code, shown) == (0, "")
    parts = {one["name"]: one for one in json.loads(target.read_text())["components"]}
    assert parts["pyxis"]["hashes"][0]["content"].startswith("9c4cdb79")
    assert parts["nvidia_driver"]["purl"].startswith(
        "pkg:deb/nvidia/nvidia-open@595.71.05-1ubuntu1?distro=ubuntu-24.04"
    )
    assert parts["torch"]["purl"] == "pkg:pypi/torch@2.15.0"
    assert parts["slurm"]["purl"].startswith("pkg:deb/ubuntu/slurm-client@23.11.4")
    assert parts["slurm"]["licenses"] == [{"license": {"id": "GPL-2.0-or-later"}}]
    names = {p["name"]: p["value"] for p in parts["nvidia_driver"]["properties"]}
    assert names["railbed:signing-key"] == NEW.keys["cuda"].fingerprint
    code, shown = call("sbom", "2026.12", "--os", "debian 12")
    systems = {
        p["value"]
        for one in json.loads(shown)["components"]
        for p in one["properties"]
        if "when" in p["name"]
    }
    assert code == 0 and not any("ubuntu" in when and "debian" not in when for when in systems)


def test_a_dry_run_says_what_is_fetched_and_what_is_refused() -> None:
    code, text = call("mirror", "2026.12", "--dry-run", "-m", "aws/p5.48xlarge", "-f", "lustre", "--json")
    found: dict[str, Any] = {one["component"]: one for one in json.loads(text)["artefacts"]}
    assert code == 0
    assert found["nvidia_driver"]["package"] == "nvidia-open=595.71.05-1ubuntu1"
    assert found["nvidia_driver"]["fingerprint"] == NEW.keys["cuda"].fingerprint
    assert {found[name]["kind"] for name in ("efa_installer", "pyxis", "nccl_tests")} == {"file"}
    assert found["efa_installer"]["opens"] == "aws-efa-installer/DEBS/UBUNTU2404/x86_64/*.deb"
    assert found["lustre_client"]["kind"] == "elsewhere", "its packages follow each node's kernel"
    assert found["enroot"]["kind"] == "unpinned" and "software pin 2026.12 enroot" in found["enroot"]["note"]
    assert found["slurm"]["kind"] == "elsewhere"
    code, text = call("mirror", "2026.11", "--dry-run")
    assert code == 0 and "refused" in text


def test_without_a_machine_every_repository_is_asked_for_its_own_system_s_package() -> None:
    found = artefacts(NEW, None, "")
    drivers = {
        one.url: one.package for one in found if one.component == "nvidia_driver" and one.kind == "package"
    }
    assert {url.rstrip("/").split("/repos/")[1]: package for url, package in drivers.items()} == {
        "debian12/x86_64": "nvidia-open=595.71.05-1",
        "ubuntu2404/x86_64": "nvidia-open=595.71.05-1ubuntu1",
        "ubuntu2404/sbsa": "nvidia-open=595.71.05-1ubuntu1",
    }
    nccl = [one.url for one in found if one.component == "nccl" and one.kind == "package"]
    assert len(nccl) == 3, "one package for both of Debian's kind"
    arm = artefacts(NEW, catalog.load_machine("metal/gb300-nvl72"), "debian 12")
    assert next(one for one in arm if one.component == "nvidia_driver").kind == "refused"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["diff", "2026.11", "1999.01"], CatalogError),
        (["diff", "2026.11", "2026.12", "--os", "ubuntu 20.04"], UsageError),
        (["sbom", "2026.11", "--machine", "metal/hgx-h1"], CatalogError),
        (["mirror", "2026.11"], UsageError),
        (["mirror", "2026.11", "--dry-run", "--output", "x"], UsageError),
        (["sbom", "2026.11", "-o", "/no/such/folder/x"], UsageError),
    ],
)
def test_bad_questions(words: list[str], error: type[RailbedError]) -> None:
    with pytest.raises(error) as refused:
        call(*words)
    assert int(refused.value.exit_status) == 2
