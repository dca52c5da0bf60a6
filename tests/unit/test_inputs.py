"""`inputs` reads files that a user names: whatever is wrong with one gives one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from railbed import inputs
from railbed.errors import ContractError, UsageError

WRONG = {
    "cut short": b'{"a": ',
    "deep": b"[" * 100_000,
    "long number": b"9" * 5000,
    "NaN": b"[NaN]",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "binary": bytes(range(256)),
    "empty": b"",
}


@pytest.mark.parametrize("case", WRONG)
def test_a_bad_document_gives_the_callers_error(case: str, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(WRONG[case])
    with pytest.raises(ContractError) as seen:
        inputs.read_json(file, error=ContractError, hint="make it again")
    assert seen.value.path == str(file)
    assert seen.value.hint == "make it again"
    assert seen.value.message.startswith("the file ")


@pytest.mark.parametrize("name", ["missing", ".", "missing/below", "nul\0", "x" * 5000])
def test_what_is_no_file_gives_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        inputs.read_log(tmp_path / name)
    with pytest.raises(UsageError):
        inputs.read_json(tmp_path / name)


def test_a_file_that_never_ends_is_too_big() -> None:
    with pytest.raises(UsageError, match="too big"):
        inputs.read_text(Path("/dev/zero"), 1000)


def test_good_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5]}')
    assert inputs.read_json(file) == {"a": [1, 2.5]}
    assert inputs.read_text(file, 100) == '{"a": [1, 2.5]}'
    file.write_bytes(b"rail \xff down\n")
    assert inputs.read_log(file) == "rail \ufffd down\n"
