"""A kernel that an unattended upgrade moved is named, before the boot and after it. Versions are those of Ubuntu's archive."""

from __future__ import annotations

from typing import Any

import pytest

RUNNING, MOVED = "6.8.0-136-generic", "6.8.0-140-generic"


@pytest.fixture
def node(world: Any) -> Any:
    """A node on whose kernel everything is as it should be."""
    world.want["kernel"] = "6.8.0"
    runs(world, RUNNING)
    installed(world, "6.8.0-31-generic")
    built_for(world, RUNNING)
    world.command("modinfo", "kmod version 31\n", arguments="--version")
    return world


def runs(world: Any, kernel: str) -> None:
    world.command("uname", f"{kernel}\n")
    installed(world, kernel)


def installed(world: Any, kernel: str) -> None:
    world.write(f"/boot/vmlinuz-{kernel}", "")


def built_for(world: Any, kernel: str, magic: str = "") -> None:
    said = f"{magic or kernel} SMP preempt mod_unload modversions \n"
    world.command("modinfo", said, arguments=f"-k {kernel} -F vermagic nvidia")


def test_the_releases_kernel_with_its_driver_passes(node: Any) -> None:
    """Through the suite as it is sent."""
    record = node.suite("node.kernel")["node.kernel"]
    assert (record["verdict"], record["measured"]) == ("pass", RUNNING), record


def test_a_kernel_that_waits_for_the_next_boot_is_named(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(node, MOVED)
    found = node.check("node.kernel", monkeypatch)
    assert (found.verdict, found.parts) == ("fail", ("kernel",))
    assert f"the kernel moved: {RUNNING} runs, and the next boot starts {MOVED}" in found.reason
    assert f"the driver 570.124.06 was not built for kernel {MOVED}" in found.reason
    built_for(node, MOVED)
    assert "not built" not in node.check("node.kernel", monkeypatch).reason


def test_after_the_boot_the_driver_that_was_not_built_for_it_is_named(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(node, MOVED)
    assert (
        node.check("node.kernel", monkeypatch).reason
        == f"the driver 570.124.06 was not built for kernel {MOVED}"
    )
    built_for(node, MOVED, magic=RUNNING)
    assert node.check("node.kernel", monkeypatch).verdict == "fail", (
        "a module of another kernel does not load"
    )


@pytest.mark.parametrize("kernel", ["6.14.0-1012-generic", "6.80.1-1-generic", "5.15.0-1-generic"])
@pytest.mark.refutes("node.kernel")
def test_another_kernel_than_the_releases_fails(
    node: Any, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(node, kernel)
    built_for(node, kernel)
    assert f"kernel {kernel} runs, not 6.8.0" in node.check("node.kernel", monkeypatch).reason


@pytest.mark.parametrize(
    ("running", "release"),
    [("6.1.0-28-amd64", "6.1"), ("6.8.0-1021-aws", "6.8.0"), ("5.14.0-503.11.1.el9_5.x86_64", "5.14.0")],
)
def test_every_distributions_names_are_read(
    node: Any, running: str, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(node, running)
    built_for(node, running)
    node.want["kernel"] = release
    assert node.check("node.kernel", monkeypatch).verdict == "pass", (
        "newer ones of another flavour do not count"
    )


def test_what_cannot_be_seen_is_unproven(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.without("modinfo")
    assert node.check("node.kernel", monkeypatch).verdict == "unproven"
    node.command("uname", "no such thing\n")
    assert node.check("node.kernel", monkeypatch).verdict == "unproven"
    runs(node, RUNNING)
    node.want["kernel"] = ""
    assert node.check("node.kernel", monkeypatch).reason == "the release names no kernel"


def test_a_controller_needs_no_driver(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.without("modinfo")
    node.want["gpus"] = 0
    assert node.check("node.kernel", monkeypatch).verdict == "pass"
