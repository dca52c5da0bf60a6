"""GDRCopy's module and device: files as the kernel has them, and what `stat` and `modinfo` (kmod 30, Debian 12) print."""

from __future__ import annotations

from typing import Any

import pytest

DEVICES = "Character devices:\n  1 mem\n195 nvidia\n236 gdrdrv\n\nBlock devices:\n  8 sd\n"
ABSENT = "modinfo: ERROR: Module gdrdrv not found.\n"


@pytest.fixture
def node(world: Any) -> Any:
    """A node on which it works."""
    world.want["gdrcopy"] = "2.5.2"
    world.write("/sys/module/gdrdrv/version", "2.5\n")
    world.write("/proc/devices", DEVICES)
    world.command("stat", "ec 666\n")
    return world


def verdict(node: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    found = node.check("node.gdrcopy", monkeypatch)
    assert (found.parts == ("gdrcopy",)) == (found.verdict == "fail")
    return found.verdict, found.reason


@pytest.mark.refutes("node.gdrcopy")
@pytest.mark.parametrize(
    ("version", "device", "mode", "wanted", "says"),
    [
        ("2.5", "ec", "666", "2.5.2", "pass"),
        ("2.6", "ec", "666", ">=2.5, <3", "pass"),
        ("2.4", "ec", "666", "2.5.2", "fail"),
        ("2.4", "ec", "666", ">=2.5, <3", "fail"),
        ("2.5", "c3", "666", "2.5.2", "fail"),
        ("2.5", "ec", "600", "2.5.2", "fail"),
        ("2.5", "\x00", "", "2.5.2", "unproven"),
        ("2.5", "ec", "666", "", "unproven"),
    ],
)
def test_version_and_device(
    node: Any, monkeypatch: pytest.MonkeyPatch, version: str, device: str, mode: str, wanted: str, says: str
) -> None:
    node.want["gdrcopy"] = wanted
    node.write("/sys/module/gdrdrv/version", f"{version}\n")
    node.command("stat", f"{device} {mode}\n")
    assert verdict(node, monkeypatch)[0] == says


def test_a_device_that_nobody_made_fails(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.script(
        "stat", "import sys; sys.exit(\"stat: cannot statx '/dev/gdrdrv': No such file or directory\")"
    )
    said, why = verdict(node, monkeypatch)
    assert said == "fail" and "/dev/gdrdrv is not there" in why


def test_a_number_that_the_kernel_does_not_tell_proves_nothing(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.write("/proc/devices", "Character devices:\n195 nvidia\n")
    assert verdict(node, monkeypatch)[0] == "unproven"


@pytest.mark.parametrize(("code", "says"), [(0, "fail"), (1, "unproven")])
def test_a_module_that_is_not_loaded_fails_where_it_was_built(
    node: Any, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    (node.root / "sys/module/gdrdrv/version").unlink()
    node.command("modinfo", ABSENT if code else "2.5\n", code)
    assert verdict(node, monkeypatch)[0] == says
