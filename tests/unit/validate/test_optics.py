"""Modules and cables of the rails: what two readings of a node's ports come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Judged, Verdict
from railbed.contract import Contract
from railbed.run import Result
from railbed.run import run as shell
from railbed.validate import optics
from railbed.validate.answers import Answers, judged
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

DATA = Path(__file__).parent.parent / "data/parse"
CLAIM = Claim(id=optics.CLAIM, statement="optics", roles=["compute"], measured_by="mlxlink")
NICS = Claim(id=optics.NICS, statement="nics", roles=["compute"])
GOOD = (DATA / "mlxlink/good.json").read_text()
LEFT = '"Effective Physical Errors": "0"'
OLD = GOOD.replace(LEFT, '"Effective Physical Errors": "41"')
Run = Callable[..., tuple[dict[str, Judged], Any]]


def section(device: str, text: str, kind: str = optics.LINK) -> str:
    return f"=== {device} {kind}\n{text}\n"


def node(text: str, other: str = GOOD) -> str:
    """Rail 0 says a text, rail 1 is well."""
    return section("rail0", text) + section("rail1", other)


@pytest.fixture
def run(contract: Contract, fake_remote: Any, tmp_path: Path) -> Run:
    """What h100-1 says before and after the load; the others are well."""

    def runs(
        before: str, after: str, *, code: int = 0, prepare: Callable[[ValidationRun], None] = lambda _: None
    ) -> tuple[dict[str, Judged], Any]:
        made = contract.model_copy(update={"claims": [*contract.claims, CLAIM, NICS]})
        scope = select(made, pattern=optics.CLAIM)
        loaded = list[bool]()

        def answer(name: str, _: str) -> Result:
            text = (after if loaded else before) if name == "h100-1" else node(GOOD)
            return Result((), code if name == "h100-1" else 0, text, "")

        validation = ValidationRun(made, fake_remote(answer), scope, Answers(scope), tmp_path, lambda _: None)
        prepare(validation)
        optics.begin(validation)
        loaded.append(True)
        optics.run(validation)
        found = [one for one in validation.answers.complete() if one.claim == optics.CLAIM]
        return {one.node: one for one in found}, validation

    return runs


def test_ports_within_their_limits_pass_and_each_node_is_asked_twice(run: Run) -> None:
    found, validation = run(node(GOOD), node(GOOD))
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
    assert found["h100-1"].reason.startswith(
        "2 optical modules within their limits; the error correction left no error"
    )
    assert [name for name, _ in validation.remote.commands].count("h100-1") == 2
    line = validation.remote.commands[0][1]
    assert 'ask rail0 rail0 > "$folder/000" 2>&1 &' in line and "-m -c --json" in line and "sudo" not in line
    assert (validation.folder / "evidence/h100-1/ports.txt").read_text().startswith("=== rail0 link")


@pytest.mark.refutes("fabric.optics")
@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (GOOD, (DATA / "mlxlink/dim-and-hot.json").read_text(), "receive power of lane 2 is -9.41 dBm, below its module's alarm"),
        (GOOD, GOOD.replace('"3E-9"', '"3E-4"'), "a bit error ratio of 0.0003 before the error correction"),
        (GOOD, OLD, "41 errors were left uncorrected under load"),
        (OLD, GOOD.replace(LEFT, '"Effective Physical Errors": "3"'), "3 errors were left uncorrected under load"),
    ],
)  # fmt: skip
def test_what_is_beyond_a_limit_fails_and_names_its_rail(
    run: Run, before: str, after: str, reason: str
) -> None:
    found = run(node(before), node(after))[0]["h100-1"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, {"parts": ["rail 0"]})
    assert found.reason.startswith("rail 0 (rail0): ") and reason in found.reason


def test_errors_of_earlier_days_do_not_fail(run: Run) -> None:
    assert run(node(OLD), node(OLD))[0]["h100-1"].verdict is Verdict.PASS


def test_another_code_has_no_published_limit(run: Run) -> None:
    """NDR's own low-latency code."""
    other = GOOD.replace(
        "Interleaved_Standard_RS-FEC - (544,514)", "Ethernet_Consortium_LL_50G_RS_FEC_PLR -(272,257+1)"
    )
    noisy = other.replace('"3E-9"', '"3E-4"')
    assert noisy != other
    assert run(node(noisy), node(noisy))[0]["h100-1"].verdict is Verdict.PASS


def test_copper_has_no_optics_and_what_a_link_sends_again_is_no_loss(run: Run) -> None:
    copper = (DATA / "mlxlink/copper.txt").read_text()
    worse = copper.replace("Effective Physical Errors          : 7", "Effective Physical Errors          : 9")
    assert worse != copper
    for before in (copper, worse):
        found = run(node(before), node(worse))[0]["h100-1"]
        assert found.verdict is Verdict.PASS
        expected = "1 optical modules within their limits and 1 copper cables, which have no optics"
        assert expected in found.reason
    ethernet = (text.replace("_PLR", "") for text in (copper, worse))
    found = run(*map(node, ethernet))[0]["h100-1"]
    assert found.verdict is Verdict.FAIL and "2 errors were left uncorrected" in found.reason


def test_ethtool_serves_where_mlxlink_is_missing(run: Run) -> None:
    module, quiet = (
        (DATA / name).read_text() for name in ("ethtool_module/qsfp.txt", "ethtool_statistics/good.txt")
    )
    errors, dark = (
        (DATA / name).read_text() for name in ("ethtool_statistics/errors.txt", "ethtool_module/dark.txt")
    )

    def port(module: str, statistics: str) -> str:
        return section("rail0", module, optics.MODULE) + section("rail0", statistics, optics.STATISTICS)

    well = port(module, quiet) + section("rail1", GOOD)
    assert run(well, well)[0]["h100-1"].verdict is Verdict.PASS
    found = run(well, port(dark, errors) + section("rail1", GOOD))[0]["h100-1"]
    assert found.verdict is Verdict.FAIL
    for reason in ("below its module's alarm limit", "41 errors were left"):
        assert reason in found.reason


def test_ethtool_serves_where_the_firmware_lets_nobody_ask_it(run: Run) -> None:
    refused = section("rail0", (DATA / "mlxlink/no-access.txt").read_text())
    module, quiet = (
        (DATA / name).read_text() for name in ("ethtool_module/qsfp.txt", "ethtool_statistics/good.txt")
    )
    reason = refused + section("rail0", module, optics.MODULE) + section("rail0", quiet, optics.STATISTICS)
    assert (
        run(reason + section("rail1", GOOD), reason + section("rail1", GOOD))[0]["h100-1"].verdict
        is Verdict.PASS
    )


def test_the_script_runs_what_is_there(tmp_path: Path) -> None:
    """The script itself, in a shell: mstlink that answers for one card of two, and ethtool for the other."""
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = {
        "mstlink": 'echo "link $2"; [ "$2" = mlx5_0 ]', "ethtool": 'echo "ethtool $1 $2"',
    }  # fmt: skip
    for name, body in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    cards = [(0, "mlx5_0", "ens1"), (1, "mlx5_1", "ens2"), (2, "mlx5_2", "")]
    reason = shell(["sh", "-c", optics.script(cards)], env={"PATH": f"{programs}:/usr/bin:/bin"}).stdout
    assert [line for line in reason.splitlines() if line] == [
        "=== mlx5_0 link", "link mlx5_0", "=== mlx5_1 link", "link mlx5_1", "=== mlx5_1 module", "ethtool -m ens2",
        "=== mlx5_1 statistics", "ethtool -S ens2", "=== mlx5_2 link", "link mlx5_2",
    ]  # fmt: skip
    (programs / "mstlink").unlink()
    reason = shell(["sh", "-c", optics.script(cards[1:])], env={"PATH": f"{programs}:/usr/bin:/bin"}).stdout
    assert reason.startswith("=== mlx5_1 module\nethtool -m ens2\n") and "=== mlx5_2 nothing" in reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it was not read"),
        ("\x00\xff{{{", "it was not read"),
        (node("{" * 50), "its answer holds no port"),
        (node((DATA / "mlxlink/truncated.json").read_text()), "rail 0 (rail0): "),
        (node((DATA / "mlxlink/no-access.txt").read_text()), "Failed to send access register"),
        (node((DATA / "mlxlink/no-module.json").read_text()), "rail 0 (rail0): "),
        (section("rail0", "", optics.NOTHING) + section("rail1", GOOD), "neither mlxlink nor mstlink is installed"),
        (section("rail0", GOOD), "rail 1 (rail1): it was not read"),
        (node(GOOD.replace("[-8..6]", "")), "its module names no limits of its receive power"),
        (node(GOOD.replace('"Rx Power Current [dBm]"', '"Other"')), "its module tells no receive power"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_proves_nothing(run: Run, text: str, reason: str) -> None:
    found = run(node(GOOD), text)[0]["h100-1"]
    assert found.verdict is Verdict.UNPROVEN
    assert reason in found.reason or (
        not text.startswith("===") and "printed nothing of its ports" in found.reason
    )


def test_without_the_first_reading_nobody_knows_what_happened_under_load(run: Run) -> None:
    found = run("", node(GOOD))[0]["h100-1"]
    assert found.verdict is Verdict.UNPROVEN and "what happened under load is not known" in found.reason


def test_a_node_that_did_not_answer_says_why(run: Run) -> None:
    found, _ = run("", "", code=124)
    assert found["h100-1"].reason == "the reading of ports on h100-1 did not end in its time"
    assert found["h100-0"].verdict is Verdict.PASS
    away = "blocked by h100-2, which cannot be reached"
    found, validation = run(
        node(GOOD), node(GOOD), prepare=lambda one: one.unreachable.update({"h100-2": away})
    )
    assert found["h100-2"].reason == away and "h100-2" not in {name for name, _ in validation.remote.commands}


def test_a_card_that_is_gone_is_explained_by_its_own_claim(run: Run) -> None:
    def prepare(validation: ValidationRun) -> None:
        whole = select(validation.contract, pattern="node.nics")
        validation.answers._asked |= {one.key: one for one in whole.questions}
        question = next(one for one in whole.questions if one.node == "h100-1")
        validation.answers.add(judged(question, Verdict.FAIL, "rail0 is gone"))

    gone = node('-E- Failed to open device: "rail0", No such file or directory\n')
    found = run(gone, gone, prepare=prepare)[0]["h100-1"]
    assert found.verdict is Verdict.UNPROVEN
    assert found.reason.startswith("blocked by node.nics on h100-1: rail 0 (rail0): Failed to open device")
