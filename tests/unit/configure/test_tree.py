"""Module tree: whole sets of files, atomically, idempotent, and nothing written in check mode."""

from __future__ import annotations

import base64
import errno
import getpass
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.unit.configure import modules

TREE = modules.load("tree")
ME = getpass.getuser()


def mine(content: str, **more: Any) -> dict[str, Any]:
    return {"content": content, "owner": ME, **more}


def test_files_are_written_with_mode_and_a_second_call_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "chrony.conf"
    want = {"files": {str(path): mine("server ctl0\n", mode="0640")}}
    first = modules.call(TREE, **want)
    assert first["changed"] and first["paths"] == [str(path)]
    assert path.read_text() == "server ctl0\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    second = modules.call(TREE, **want)
    assert not second["changed"] and second["paths"] == []


def test_a_file_may_be_given_by_its_content_alone(tmp_path: Path) -> None:
    if ME != "root":
        pytest.skip("the short form belongs to root")
    assert modules.call(TREE, files={str(tmp_path / "motd"): "hello\n"})["changed"]
    assert (tmp_path / "motd").read_text() == "hello\n"


def test_check_mode_tells_and_writes_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("old\n")
    answer = modules.call(
        TREE, check=True, files={str(kept): mine("new\n"), str(tmp_path / "d" / "fresh"): mine("x")},
        directories={str(tmp_path / "folder"): {"owner": ME}}, links={str(tmp_path / "link"): "kept"},
    )  # fmt: skip
    assert answer["changed"] and len(answer["paths"]) == 4
    assert kept.read_text() == "old\n" and [p.name for p in tmp_path.iterdir()] == ["kept"]
    assert {"before": "old\n", "after": "new\n"}.items() <= answer["diff"][1].items()


def test_a_wrong_mode_alone_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k")
    path.chmod(0o644)
    assert modules.call(TREE, files={str(path): mine("k", mode="0600")})["changed"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_bytes_travel_as_base64(tmp_path: Path) -> None:
    data = bytes(range(256))
    encoded = base64.b64encode(data).decode()
    modules.call(TREE, files={str(tmp_path / "k"): mine(encoded, base64=True, mode="0400")})
    assert (tmp_path / "k").read_bytes() == data


def test_what_is_sensitive_is_in_no_part_of_the_answer(tmp_path: Path) -> None:
    answer = modules.call(TREE, files={str(tmp_path / "k"): mine("correct horse battery", sensitive=True)})
    assert "horse" not in str(answer)


def test_the_answer_does_not_repeat_what_was_sent(tmp_path: Path) -> None:
    want = {"files": {str(tmp_path / "k"): mine("x" * 5000)}}
    modules.call(TREE, **want)
    assert len(str(modules.call(TREE, **want))) < 1000


def test_a_refused_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "sshd.conf"
    path.write_text("good\n")
    answer = modules.call(TREE, files={str(path): mine("bad\n", validate=["grep", "-q", "good", "%s"])})
    assert answer["failed"] and "refuses" in answer["msg"]
    assert path.read_text() == "good\n" and [p.name for p in tmp_path.iterdir()] == ["sshd.conf"]


def test_an_accepted_file_is_put_in_place(tmp_path: Path) -> None:
    answer = modules.call(
        TREE, files={str(tmp_path / "f"): mine("good\n", validate=["grep", "-q", "good", "%s"])}
    )
    assert answer["changed"] and (tmp_path / "f").read_text() == "good\n"


def test_a_file_that_is_made_once_is_never_replaced(tmp_path: Path) -> None:
    """Metadata of a filesystem: where a changelog says that there was one, an empty one would lose everything."""
    path, changelog = tmp_path / "metadata.mfs", tmp_path / "changelog.0.mfs"
    want = {str(path): mine("MFSM NEW", unless_exists=[str(path), str(changelog)])}
    assert modules.call(TREE, files=want)["changed"]
    path.write_text("metadata of a filled filesystem")
    assert not modules.call(TREE, files=want)["changed"]
    path.unlink()
    changelog.write_text("")
    assert not modules.call(TREE, files=want)["changed"] and not path.exists()


def test_purge_removes_what_is_not_named_and_only_below_its_folder(tmp_path: Path) -> None:
    sources = tmp_path / "sources.list.d"
    sources.mkdir()
    (sources / "vendor.list").write_text("deb http://example.com x main\n")
    (tmp_path / "other").write_text("")
    kept = sources / "railbed.sources"
    answer = modules.call(TREE, files={str(kept): mine("x")}, purge=[str(sources)])
    assert str(sources / "vendor.list") in answer["paths"]
    assert [p.name for p in sources.iterdir()] == ["railbed.sources"] and (tmp_path / "other").exists()


def test_links_replace_links_and_nothing_else(tmp_path: Path) -> None:
    link = tmp_path / "libpmix.so"
    assert modules.call(TREE, links={str(link): "libpmix.so.2"})["changed"]
    assert not modules.call(TREE, links={str(link): "libpmix.so.2"})["changed"]
    assert modules.call(TREE, links={str(link): "libpmix.so.3"})["changed"]
    assert link.readlink() == Path("libpmix.so.3")
    link.unlink()
    link.write_text("a file")
    assert modules.call(TREE, links={str(link): "x"})["failed"] and link.read_text() == "a file"


def test_absent_removes_files_and_refuses_folders(tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("")
    assert modules.call(TREE, absent=[str(tmp_path / "gone")])["changed"]
    assert not modules.call(TREE, absent=[str(tmp_path / "gone")])["changed"]
    (tmp_path / "folder").mkdir()
    assert modules.call(TREE, absent=[str(tmp_path / "folder")])["failed"] and (tmp_path / "folder").is_dir()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"relative": {"content": "x"}}, "absolute"),
        ({"/tmp/x": {"contents": "x"}}, "unknown"),
        ({"/tmp/x": {"content": "x", "mode": "rw"}}, "octal"),
        ({"/tmp/x": {"content": {"a": 1}}}, "must be text"),
        ({"/tmp/x": {"content": "x", "owner": "no-such-user"}}, "no such account"),
        ({"/tmp/x": {"content": "?", "base64": True, "owner": ME}}, "base64"),
    ],
)
def test_bad_arguments_are_named(files: dict[str, Any], told: str) -> None:
    answer = modules.call(TREE, files=files)
    assert answer["failed"] and told in answer["msg"]


def test_check_mode_accepts_an_account_that_a_package_will_bring(tmp_path: Path) -> None:
    want = {str(tmp_path / "munge.key"): {"content": "x", "owner": "no-such-user"}}
    assert modules.call(TREE, check=True, files=want)["changed"]


def test_modes_of_what_others_made_are_corrected_and_nothing_is_made(tmp_path: Path) -> None:
    path, link = tmp_path / "crontab", tmp_path / "link"
    path.write_text("kept\n")
    path.chmod(0o644)
    link.symlink_to(path)
    want = {"modes": {str(path): "0600", str(tmp_path / "absent"): "0700"}}
    assert modules.call(TREE, check=True, **want)["paths"] == [str(path)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert modules.call(TREE, **want)["changed"] and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "kept\n" and not (tmp_path / "absent").exists()
    assert not modules.call(TREE, **want)["changed"]
    assert not modules.call(TREE, modes={str(link): "0777"})["changed"], "a link is somebody else's file"
    assert "not octal" in modules.call(TREE, modes={str(path): "rw"})["msg"]


def test_a_full_disk_names_the_file_and_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "slurm.conf"
    path.write_text("old\n")
    monkeypatch.setattr(TREE.os, "fsync", full)
    answer = modules.call(TREE, files={str(path): {"content": "a secret\n", "sensitive": True}})
    assert answer["failed"] and answer["msg"] == f"{path}: No space left on device"
    assert path.read_text() == "old\n" and [entry.name for entry in tmp_path.iterdir()] == ["slurm.conf"]
    assert "a secret" not in str(answer), "a failure does not repeat what it was to write"
