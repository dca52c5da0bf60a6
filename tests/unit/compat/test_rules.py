"""The catalogue's own rules: consistent sets, conflicts with their reasons and sources, and bad questions."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from railbed import catalog
from railbed.cli import software_commands
from railbed.errors import CatalogError, UsageError
from railbed.software import compat
from railbed.software.compat.problem import read_wanted


def problem(machine: str, os: str, *wanted: str) -> compat.Problem:
    known = catalog.load_machine(machine) if machine else None
    return compat.build(catalog.load_rules(), known, os, read_wanted(wanted))


def versions(machine: str, os: str, *wanted: str) -> dict[str, str]:
    found = compat.solve(problem(machine, os, *wanted))
    assert isinstance(found, compat.Answer), found
    return {one.component: one.version for one in found.chosen if one.version != "none"}


def conflict(machine: str, os: str, *wanted: str) -> list[str]:
    found = compat.solve(problem(machine, os, *wanted))
    assert isinstance(found, compat.Conflict), found
    for demand in found.demands:
        assert demand.reason and (demand.source or demand.reason == "asked for")
    return [demand.demand for demand in found.demands]


def test_a_host_has_what_it_needs_and_nothing_else() -> None:
    assert versions("metal/hgx-h100", "ubuntu 22.04") == {
        "cuda": "13.0.2", "fabric_manager": "595.71.05", "gpudirect": "dma-buf", "kernel": "5.15",
        "kernel_modules": "open", "nccl": "2.31.2", "nvidia_driver": "595.71.05",
    }  # fmt: skip


def test_what_is_wanted_moves_the_rest() -> None:
    found = versions("metal/hgx-h100", "ubuntu 22.04", "nvidia_driver=570.124.06", "lustre_client")
    assert (found["cuda"], found["fabric_manager"]) == ("12.9", "570.124.06")
    assert "lustre_client" in found
    assert versions("metal/hgx-h100", "ubuntu 22.04", "cuda<12.8")["cuda"] == "12.4"
    assert versions("aws/p5.48xlarge", "ubuntu 22.04", "net_plugin=1.20.0")["nccl"] == "2.30.4"
    assert versions("metal/hgx-b300", "ubuntu 24.04", "ofed")["ofed"] == "25.10"


def test_a_version_that_is_not_listed_is_taken_at_its_word() -> None:
    found = versions("metal/hgx-h100", "ubuntu 22.04", "nvidia_driver=575.57.08")
    assert (found["nvidia_driver"], found["fabric_manager"], found["cuda"]) == (
        "575.57.08",
        "575.57.08",
        "12.9",
    )


def test_an_nvlink_domain_of_many_nodes_has_imex_and_no_fabric_manager() -> None:
    found = versions("metal/gb200-nvl72", "ubuntu 24.04")
    assert found["imex"] == found["nvidia_driver"]
    assert "fabric_manager" not in found


def test_without_a_machine_no_rule_about_hardware_decides() -> None:
    found = versions("", "ubuntu 22.04", "nvidia_driver=550.144.03")
    assert "fabric_manager" not in found
    assert "gpudirect" not in found


@pytest.mark.parametrize(
    ("machine", "os", "wanted", "names"),
    [
        ("metal/hgx-b200", "ubuntu 22.04", ["nvidia_driver=550.144.03"],
         ["nvidia_driver=550.144.03", "blackwell-needs-570"]),
        ("metal/hgx-h100", "ubuntu 22.04", ["nvidia_driver=570.124.06", "fabric_manager=565.57.01"],
         ["nvidia_driver=570.124.06", "fabric_manager=565.57.01", "fabric-manager-is-of-the-driver-s-version"]),
        ("metal/hgx-h100", "debian 12", ["lustre_client"], ["lustre_client", "no-lustre-on-debian-12"]),
        ("metal/hgx-h100", "ubuntu 22.04", ["cuda=13.0.2", "nvidia_driver=570.124.06"],
         ["cuda=13.0.2", "nvidia_driver=570.124.06", "cuda-13-needs-580"]),
        ("metal/hgx-b200", "ubuntu 22.04", ["kernel_modules=proprietary"],
         ["kernel_modules=proprietary", "blackwell-needs-open-modules"]),
        ("aws/p5.48xlarge", "ubuntu 22.04", ["net_plugin=none"], ["net_plugin=none", "efa-needs-the-plugin"]),
        ("aws/p5.48xlarge", "ubuntu 22.04", ["nccl=2.31.2", "net_plugin=1.20.0"],
         ["nccl=2.31.2", "net_plugin=1.20.0", "plugin-1.20"]),
        ("metal/hgx-h100", "ubuntu 24.04", ["lustre_client=2.15.8"],
         ["lustre_client=2.15.8", "kernel-of-ubuntu-24.04", "lustre-on-6.8"]),
        ("metal/hgx-b300", "ubuntu 22.04", ["ofed<25"], None),
        ("metal/hgx-h100", "rhel 9", ["kernel>=6.8"], ["kernel>=6.8", "kernel-of-rhel-9"]),
        ("metal/hgx-h100", "ubuntu 22.04", ["nvidia_driver>=700"], ["nvidia_driver>=700"]),
    ],
)  # fmt: skip
def test_a_conflict_has_no_demand_too_many(
    machine: str, os: str, wanted: list[str], names: list[str] | None
) -> None:
    found = conflict(machine, os, *wanted)
    if names is not None:
        assert sorted(found) == sorted(names)
    assert len(found) <= 4


def test_every_rule_can_be_broken_and_names_its_source() -> None:
    """A rule that nothing can break says nothing: for each there are values under which it is false."""
    rules = {name: rule for file in catalog.load_rules() for name, rule in file.rules.items()}
    assert len(rules) >= 30
    made = {d.name: d for d in problem("metal/hgx-h100", "ubuntu 22.04").demands}
    for name, rule in rules.items():
        demand = made[name]
        assert demand.source == f"{rule.provenance.source} ({rule.provenance.checked})"
        nothing = dict.fromkeys(demand.subjects, "not a version")
        for subject, condition in demand.when.items():
            nothing[subject] = next(v for v in _values() if condition.holds(v, {}))
        broken = [
            {**nothing, subject: value}
            for subject in demand.require
            for value in _values()
            if subject not in demand.when
        ] + [nothing]
        assert any(demand.verdict(values) is False for values in broken), name


def _values() -> list[str]:
    listed = [k.version for f in catalog.load_rules() for known in f.versions.values() for k in known]
    words = [
        "none",
        "open",
        "blackwell",
        "blackwell-ultra",
        "arm64",
        "efa",
        "roce",
        "1",
        "8",
        "18",
        "connectx-8",
    ]
    systems = ["debian 12", "rhel 9", "ubuntu 22.04", "ubuntu 24.04"]
    return [*words, *systems, *listed, "620.1", "1.9.1", "24.10"]


@pytest.mark.parametrize("text", ["driver", "nvidia_drivr=570"])
def test_an_unknown_component_names_the_nearest(text: str) -> None:
    with pytest.raises(UsageError) as unknown:
        problem("", "ubuntu 22.04", text)
    assert unknown.value.hint == "did you mean nvidia_driver?"
    assert "lustre_client" in unknown.value.allowed


@pytest.mark.parametrize("text", ["", "=", "a=", "a b", "cuda==="])
def test_a_question_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((UsageError, CatalogError)):
        problem("", "ubuntu 22.04", text)


def call(*words: str) -> tuple[int, Any]:
    app = typer.Typer()
    software_commands.register(app)
    done = CliRunner().invoke(app, ["software", *words], env={"COLUMNS": "200"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout) if "--json" in words else done.stdout


def test_commands() -> None:
    code, found = call("solve", "--machine", "metal/hgx-h100", "--os", "ubuntu 22.04", "--json")
    assert (code, found["consistent"], found["versions"]["kernel"]) == (0, True, "5.15")
    assert found["facts"]["machine.gpu_architecture"] == "hopper"
    code, found = call("explain", "--release", "2026.11", "--machine", "lab/rail8", "--json")
    assert code == 0
    assert found["wanted"] == []
    assert (found["facts"]["os"], found["versions"]["nvidia_driver"]) == ("debian 12", "570.124.06")
    assert all(rule["holds"] and rule["applies"] for rule in found["rules"])
    assert {"kernel-of-debian-12", "open-modules-since-515"} <= {rule["demand"] for rule in found["rules"]}
    code, found = call("solve", "-m", "metal/hgx-h100", "--os", "debian 12", "-w", "lustre_client", "--json")
    assert (code, found["consistent"]) == (1, False)
    assert found["conflict"]["facts"] == {"os": "debian 12"}
    assert {d["demand"] for d in found["conflict"]["demands"]} == {"lustre_client", "no-lustre-on-debian-12"}
    code, text = call("explain", "-m", "metal/hgx-h100", "--os", "ubuntu 22.04")
    assert code == 0
    assert "Rules that apply" in text
    code, text = call("solve", "-m", "metal/hgx-h100", "--os", "debian 12", "-w", "lustre_client")
    assert code == 1
    assert "cannot hold together" in text


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["solve"], "--os"),
        (["solve", "--os", "ubuntu 20.04"], "--os"),
        (["explain", "--os", "ubuntu 22.04", "-w", "driver"], "--with"),
        (["solve", "--os", "ubuntu 22.04", "-m", "metal/hgx-h1000"], "metal/hgx-h1000"),
        (["solve", "--release", "1999.01"], "1999.01"),
    ],
)
def test_bad_questions_are_usage_errors(words: list[str], path: str) -> None:
    with pytest.raises(UsageError) as refused:
        call(*words)
    assert refused.value.path == path
    assert int(refused.value.exit_status) == 2
    assert refused.value.allowed
