"""Logins, trust and the firmware lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.bmc.firmware import Difference, differences
from railbed.effects.bmc.login import PASSWORD_VARIABLE, USER_VARIABLE, Login, login, of_ironic
from railbed.effects.bmc.target import fingerprint
from railbed.errors import UsageError

CANARY = "canary-5Rt"
VERSIONS = st.dictionaries(
    st.sampled_from(["bios", "bmc", "nic", "cpld"]), st.sampled_from(["1", "1.0", "2"])
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bmc.yaml"
    path.write_text(
        f'user: "admin"\npassword: "{CANARY}"\nmachines: {{h100-1: {{password: "own-{CANARY}"}}}}\n'
    )
    path.chmod(0o600)
    return path


def test_a_machine_has_its_own_login_or_the_common_one(file: Path) -> None:
    assert login(file, "h100-0") == Login("admin", CANARY)
    assert login(file, "h100-1") == Login("admin", f"own-{CANARY}")
    assert CANARY not in repr(login(file, "h100-0"))


def test_the_environment_helps_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no user and password"):
        login(tmp_path / "none", "h100-0")
    monkeypatch.setenv(USER_VARIABLE, "root")
    monkeypatch.setenv(PASSWORD_VARIABLE, CANARY)
    assert login(tmp_path / "none", "h100-0") == Login("root", CANARY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(UsageError) as refused:
        login(file, "h100-0")
    assert refused.value.hint == f"chmod 600 {file}"


@pytest.mark.parametrize(
    "text",
    [f"password: [{CANARY}", f"user: a\npassword: {{x: {CANARY}}}\n", f"- {CANARY}\n", f"machines: {CANARY}\n",
     f"user: a\npassword: {CANARY}\nmachines: {{h100-0: {CANARY}}}\n"],
)  # fmt: skip
def test_a_broken_file_is_refused_without_its_content(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        login(file, "h100-0")
    assert refused.value.code == "BMC_LOGIN"
    assert CANARY not in refused.value.as_text()


def test_a_site_s_ironic_is_named_where_its_login_is_wrong(file: Path) -> None:
    file.write_text(f"user: a\npassword: {CANARY}\n")
    assert of_ironic(file).user == "a"
    for text, mode in (
        (f"password: [{CANARY}", 0o600),
        ("user: a\npassword: b\n", 0o644),
        ("user: a\n", 0o600),
    ):
        file.write_text(text)
        file.chmod(mode)
        with pytest.raises(UsageError) as refused:
            of_ironic(file)
        assert refused.value.code == "IRONIC_LOGIN"
        assert "BMC" not in refused.value.as_text()
        assert "machines:" not in refused.value.as_text()


def test_a_fingerprint_is_64_digits_however_it_is_written() -> None:
    plain = "ab" * 32
    assert fingerprint(":".join(["AB"] * 32)) == plain
    for wrong in ("", "ab" * 20, "xy" * 32, "sha256:" + plain):
        with pytest.raises(UsageError):
            fingerprint(wrong)


def test_a_lock_finds_what_is_other_and_what_is_missing() -> None:
    found = differences(
        {"bios": "2.1.8", "nic": "28.39", "bmc": "1.0"}, {"bios": "2.1.7", "bmc": "1.0", "cpld": "3"}
    )
    assert found == [Difference("bios", "2.1.8", "2.1.7"), Difference("nic", "28.39", None)]
    assert [one.kind for one in found] == ["other", "missing"]
    assert str(found[1]) == "nic: not shown by the BMC, locked 28.39"


@given(VERSIONS, VERSIONS)
def test_a_lock_holds_exactly_when_every_locked_version_is_there(
    lock: dict[str, str], have: dict[str, str]
) -> None:
    assert (differences(lock, have) == []) == (lock.items() <= have.items())
