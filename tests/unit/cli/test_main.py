"""What the operating system refuses is told as every other error: no traceback, one line on what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from railbed.cli.main import COMMANDS, assemble

RAILBED = Path(sys.executable).with_name("railbed")
LAB = Path(__file__).parents[3] / "examples/lab-cluster.yaml"
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def run(*words: str, stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([RAILBED, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@needs_full
@pytest.mark.parametrize("words", [("fabric", "plan", "--nodes", "4", "--json"), ("catalog", "list")])
def test_a_full_disk_under_stdout_is_an_error_on_stderr(words: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = run(*words, stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("SYSTEM: the operating system refused: No space left on device")
    assert "make room" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_may_not_be_read_is_an_error_also_as_json(tmp_path: Path) -> None:
    done = run("spec", "validate", "--spec", str(tmp_path), "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode in (1, 2)
    assert error["code"]
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_enough_is_no_failure() -> None:
    with subprocess.Popen(
        [RAILBED, "catalog", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait() == 0


CRASH = """
import sys
import typer
from railbed.cli import main, output

def register(root: typer.Typer) -> None:
    @root.command("spec")
    def crash(as_json: bool = output.JSON_OPTION, late: bool = typer.Option(False)) -> None:
        if late:
            output.print_json({"half": float("nan")})
        FAILURE

main.assemble = lambda words: register(main.app) or main.app
main.main()
"""


def crash(folder: Path, failure: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that fails in a way that nobody foresaw."""
    program = folder / "crash.py"
    program.write_text(CRASH.replace("FAILURE", failure))
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, program, "spec", *words], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )  # fmt: skip


FAILURES = {
    "KeyError": "{}['missing']",
    "RecursionError": "(f := lambda: f())()",
    "MemoryError": "raise MemoryError",
    "UnicodeDecodeError": "b'\\xff'.decode()",
    "AssertionError": "raise AssertionError('[/x] \\x1b[2J')",
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_nobody_foresaw_is_one_document_and_a_file(name: str, tmp_path: Path) -> None:
    done = crash(tmp_path, FAILURES[name], "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (1, "INTERNAL")
    assert name in error["message"]
    assert done.stderr == ""
    kept = Path(error["path"])
    assert kept.parent == tmp_path
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "Traceback" in kept.read_text()
    assert name in kept.read_text()


def test_what_nobody_foresaw_is_a_paragraph_without_json(tmp_path: Path) -> None:
    done = crash(tmp_path, FAILURES["AssertionError"])
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("INTERNAL: railbed itself failed (AssertionError)")
    assert "Traceback" not in done.stderr


def test_in_a_checkout_the_file_lies_below_its_folder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "infra").mkdir()
    error = json.loads(crash(tmp_path, FAILURES["KeyError"], "--json").stdout)["error"]
    assert Path(error["path"]).parent == tmp_path / ".railbed" / "errors"


def test_a_failure_after_the_document_adds_no_second_one(tmp_path: Path) -> None:
    done = crash(tmp_path, FAILURES["KeyError"], "--json", "--late")
    assert json.loads(done.stdout) == {"half": None}
    assert done.returncode == 1
    assert "INTERNAL" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_stays_an_interrupt(tmp_path: Path) -> None:
    done = crash(tmp_path, "raise KeyboardInterrupt", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "INTERRUPTED"
    assert done.returncode == 1


HEAVY = (
    "pulumi",
    "ansible",
    "ansible_runner",
    "matplotlib",
    "pydantic",
    "rich",
    "yaml",
    "jinja2",
    "railbed.catalog",
)
IMPORTED = """
import sys
from railbed.cli.main import main

sys.argv = ["railbed", *sys.argv[1:]]
try:
    main()
finally:
    print(*(name for name in sys.modules if name.startswith(HEAVY)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (("--help",), HEAVY),
        (("plan", "--spec", str(LAB), "--json"), ("pulumi", "ansible", "matplotlib", "railbed.platforms")),
        (("validate", "--help"), ("pulumi", "ansible", "matplotlib")),
        (("node", "--help"), ("pulumi", "ansible", "matplotlib")),
        (("lab", "fault", "list", "--json"), ("pulumi", "ansible", "railbed.flow")),
    ],
)
def test_a_command_imports_only_what_it_needs(words: tuple[str, ...], heavy: tuple[str, ...]) -> None:
    program = IMPORTED.replace("HEAVY", repr(heavy))
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_what_was_not_to_be_imported_is_seen() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED.replace("HEAVY", "('typer',)"), "--help"], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert "typer" in done.stderr.split()


def test_help_has_every_command_with_the_first_words_of_its_own_help() -> None:
    known = typer.main.get_command(assemble([])).commands
    assert set(known) == set(COMMANDS)
    for word, (_, line) in COMMANDS.items():
        told = known[word].help or ""
        assert told.split()[:2] == line.replace("`:", "`").split()[:2], word


@pytest.mark.parametrize("words", [(), ("node",)])
def test_a_noun_without_a_verb_prints_its_help(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout.startswith("Usage: railbed")
    assert done.stderr == ""


def test_a_word_that_is_none_names_the_nearest() -> None:
    done = run("plna")
    assert done.returncode == 2
    assert "Did you mean 'plan'?" in done.stderr
