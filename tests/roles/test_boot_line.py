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

    def run(
        self, *words: str, tasks: str = "configure", check: bool = False, kept: tuple[str, ...] = ()
    ) -> Any:
        given = {
            "boot_line_words": list(words),
            "boot_line_kept": list(kept),
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


IMAGE = 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {words}"; GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"; '
"""As Oracle's images have it: grub.d/70-oci-hpc.cfg writes the first, and the cloud image's own file the second."""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("iommu=off numa_balancing=disable", "iommu=off numa_balancing=disable console=ttyS0 nosmt"),
        ("xiommu=off", "xiommu=off console=ttyS0 iommu=pt nosmt"),
        ("iommu=soft", "iommu=soft console=ttyS0 iommu=pt nosmt"),
        ("", "console=ttyS0 iommu=pt nosmt"),
    ],
)
def test_a_word_of_the_image_that_may_stay_stays_and_none_is_added(
    loader: Loader, words: str, line: str
) -> None:
    assert loader.run("iommu=pt", "nosmt", kept=("iommu=off", "iommu=on")).status == "successful"
    script = (
        f"{IMAGE.format(words=words)} . {loader.file}; echo $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"
    )
    sourced = subprocess.run(
        ["sh", "-euc", f"GRUB_CMDLINE_LINUX=; {script}"], text=True, capture_output=True, check=True
    )
    assert sourced.stdout == f"{line}\n"
    assert loader.run("iommu=pt", "nosmt", kept=("iommu=off", "iommu=on")).stats["changed"] == {}


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
