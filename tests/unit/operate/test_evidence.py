"""Evidence of a node: each section under its own limits, and the vendor's report where there is one. Run by a real shell."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

from railbed.contract import Contract
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.operate import evidence
from railbed.operate.evidence import SECTION_BYTES, Asked
from railbed.run import Result

REPORT = """
import gzip, sys
folder = sys.argv[sys.argv.index("--output-file") + 1]
with gzip.open(folder + ".gz", "wb") as out:
    out.write(b"NVRM version" * 100)
"""


def output_of(*sections: Asked) -> str:
    return subprocess.run(
        ["sh", "-c", evidence.script(sections)], capture_output=True, text=True, check=False, timeout=60
    ).stdout


def test_a_section_that_hangs_and_a_program_that_is_not_there_cost_no_other() -> None:
    said = output_of(Asked("sleep", "echo before; sleep 60", 1), Asked("no-such-program", "no-such-program", 1),
                Asked("sh", "echo 'it''s' \"here\"", 5))  # fmt: skip
    assert said.index("before") < said.index("not installed") < said.index("its here")


def test_a_section_without_end_is_cut() -> None:
    said = output_of(Asked("yes", "yes", 20), Asked("sh", "echo after", 5))
    assert SECTION_BYTES < len(said) < SECTION_BYTES + 200 and said.endswith("after\n")


def test_all_sections_end_before_the_whole_does() -> None:
    from railbed.operate.evidence import EVIDENCE_TIMEOUT_S

    assert sum(one.timeout_s + 2 for one in evidence.SECTIONS) < EVIDENCE_TIMEOUT_S


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs; what is asked of a node is run with them."""

    def run(_: Remote, _name: str, command: Sequence[str], stdin: str, **_options: Any) -> Result:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": f"{programs}:/usr/bin:/bin"},
        )  # fmt: skip
        return Result((), done.returncode, done.stdout, done.stderr)

    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(Remote, "run", run)
    return programs


@pytest.fixture
def steps() -> list[str]:
    return []


def report(contract: Contract, work: Workspace, steps: list[str]) -> list[Path]:
    (work.archive / "evidence").mkdir(parents=True)
    evidence.bug_report(Remote(work, contract), work, "h100-1", lambda _event, text, **_: steps.append(text))
    return list((work.archive / "evidence").iterdir())


def test_the_vendors_report_is_saved(
    contract: Contract, work: Workspace, node: Path, steps: list[str]
) -> None:
    modules.program(node, "nvidia-bug-report.sh", REPORT)
    (file,) = report(contract, work, steps)
    assert file.name.startswith("h100-1-") and gzip.decompress(file.read_bytes()).startswith(b"NVRM version")
    assert "vendor's report in" in steps[0]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, "is not installed"),
        ("raise SystemExit(9)", "ended with 9"),
        (
            "import sys; open(sys.argv[sys.argv.index('--output-file') + 1] + '.gz', 'w').write('no gzip')",
            "no vendor's",
        ),
    ],
)
def test_without_it_the_repair_goes_on_and_says_so(
    contract: Contract, work: Workspace, node: Path, steps: list[str], program: str | None, reason: str
) -> None:
    if program:
        modules.program(node, "nvidia-bug-report.sh", program)
    assert report(contract, work, steps) == []
    assert reason in steps[0]
