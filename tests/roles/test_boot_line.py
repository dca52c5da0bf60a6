"""Role boot_line, with files instead of a boot loader: the menu is renewed when it is older than the words, and only then."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.roles.local import play, role

UPDATE = "#!/bin/sh\necho ran >> {folder}/updates\n{end}\n"


class Loader:
    """A boot loader made of files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.menu = folder, folder / "90-railbed.cfg", folder / "grub.cfg"
        (folder / "bin").mkdir()
        self.updates(f"touch {self.menu}")

    def updates(self, end: str) -> None:
        program = self.folder / "bin/update-grub"
        program.write_text(UPDATE.format(folder=self.folder, end=end))
        program.chmod(0o755)

    def ran(self) -> int:
        path = self.folder / "updates"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def run(self, *words: str, tasks: str = "configure", check: bool = False) -> Any:
        given = {
            "boot_line_words": list(words),
            "boot_line_file": str(self.file),
            "boot_line_menu": str(self.menu),
        }
        return play(
            self.folder, role("boot_line", tasks), settings={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            extravars=given, cmdline="--check" if check else None,
        )  # fmt: skip


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


def test_the_words_follow_the_images_own_and_a_second_run_changes_nothing(loader: Loader) -> None:
    first = loader.run("iommu=pt", "nosmt")
    assert first.status == "successful" and loader.ran() == 1
    sourced = subprocess.run(
        ["sh", "-c", f'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"; . {loader.file}; echo "$GRUB_CMDLINE_LINUX_DEFAULT"'],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert sourced.stdout == "console=ttyS0 iommu=pt nosmt\n"
    second = loader.run("iommu=pt", "nosmt")
    assert second.stats["changed"] == {} and loader.ran() == 1


def test_a_menu_that_was_not_renewed_is_renewed_by_the_next_run(loader: Loader) -> None:
    loader.updates("exit 1")
    assert loader.run("iommu=pt").status == "failed"
    loader.updates(f"touch {loader.menu}")
    again = loader.run("iommu=pt")
    assert again.status == "successful" and list(again.stats["changed"].values()) == [1]


def test_check_mode_writes_nothing(loader: Loader) -> None:
    assert loader.run("iommu=pt", check=True).status == "successful"
    assert not loader.file.exists() and loader.ran() == 0


@pytest.mark.parametrize("word", ["$(reboot)", 'a"b', "two words", "`id`", ""])
def test_what_a_shell_would_read_is_refused(loader: Loader, word: str) -> None:
    assert loader.run(word, tasks="install").status == "failed"
