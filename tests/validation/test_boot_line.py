"""The kernel's command line, as /proc/cmdline has it (the words of an Ubuntu 24.04 cloud image, and what role boot_line adds)."""

from __future__ import annotations

from typing import Any

import pytest

IMAGE = "BOOT_IMAGE=/boot/vmlinuz-6.8.0-57-generic root=PARTUUID=6f4e1a5c ro console=tty1 console=ttyS0"


@pytest.mark.refutes("node.boot_line")
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{IMAGE} iommu=pt\n", "pass"),
        (f"{IMAGE} iommu=off iommu=pt\n", "pass"),
        (f"{IMAGE}\n", "fail"),
        (f"{IMAGE} iommu=pt iommu=off\n", "fail"),
        (f"{IMAGE} iommu=ptx\n", "fail"),
        ("", "unproven"),
    ],
)
def test_boot_line(world: Any, monkeypatch: pytest.MonkeyPatch, text: str, verdict: str) -> None:
    world.want["boot_line"] = ["iommu=pt"]
    world.write("/proc/cmdline", text)
    found = world.check("node.boot_line", monkeypatch)
    assert found.verdict == verdict
    assert (found.parts == ("kernel",)) == (verdict == "fail")


@pytest.mark.refutes("node.boot_line")
@pytest.mark.parametrize(
    ("text", "verdict", "said"),
    [
        (f"{IMAGE} iommu=off\n", "pass", "the image's own iommu=off"),
        (f"{IMAGE} iommu=pt\n", "pass", "booted with iommu=pt"),
        (f"{IMAGE} iommu=off iommu=soft\n", "fail", "iommu=pt (has iommu=soft)"),
        (f"{IMAGE}\n", "fail", "iommu=pt (has none)"),
    ],
)
def test_a_word_of_the_image_stands_in_where_its_profile_says_so(
    world: Any, monkeypatch: pytest.MonkeyPatch, text: str, verdict: str, said: str
) -> None:
    world.want["boot_line"] = ["iommu=pt"]
    world.want["image"] = {**world.want["image"], "boot_line": ["iommu=off"]}
    world.write("/proc/cmdline", text)
    found = world.check("node.boot_line", monkeypatch)
    assert found.verdict == verdict and said in found.reason


def test_without_an_expectation_nothing_is_shown(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want["boot_line"] = []
    world.write("/proc/cmdline", IMAGE)
    assert world.check("node.boot_line", monkeypatch).verdict == "unproven"


@pytest.mark.parametrize(("there", "verdict"), [("16\n", "pass"), ("12\n", "fail"), (None, "fail")])
def test_huge_pages_that_were_asked_for_are_there(
    world: Any, monkeypatch: pytest.MonkeyPatch, there: str | None, verdict: str
) -> None:
    """A kernel that finds too little memory in one piece sets fewer aside, and says so in its log alone."""
    world.want["boot_line"] = ["hugepagesz=1G", "hugepages=16"]
    world.write("/proc/cmdline", f"{IMAGE} hugepagesz=1G hugepages=16\n")
    if there is not None:
        world.write("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", there)
    assert world.check("node.boot_line", monkeypatch).verdict == verdict
