"""A node whose image brings its driver: what is asked of it, and that one with another image gets nothing.

The program of role `image` is the real one, on this machine: a file stands for the image's driver.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.roles.conftest import Recorded, once, record, whole_cluster

from railbed.contract import Brought, Contract, NodeImage

GOOD, BAD = "h100-0", "h100-1"
PACKAGES = "packages: Install the packages of all roles"
SOURCES = "packages: Say where packages come from"


def with_images(shown: Path) -> Contract:
    """Of the first node the image has the driver that its profile says, of the second an older one than that."""
    contract = whole_cluster()
    shown.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.173.02\n")
    plain = contract.class_of(contract.node(GOOD))
    packages = {
        name: pin
        for name, pin in plain.packages.items()
        if not name.startswith(("nvidia-open", "nvidia-driver"))
    }
    components = {
        name: version
        for name, version in plain.components.items()
        if name not in ("nvidia_driver", "fabric_manager")
    }

    def image(accepts: str) -> NodeImage:
        return NodeImage(
            profile="site", brings={"nvidia_driver": Brought(accepts=accepts, file=str(shown))},
            follows={"fabric_manager": accepts}, holds=["nvidia-utils-*"], apt_sources=["own.list"], apt_preferences=["own-pin"],
            names_devices=True, silenced=["rewrites.service"],
        )  # fmt: skip

    classes = [
        plain.model_copy(
            update={
                "name": name, "image": image(accepts), "components": components, "groups": [*plain.groups, "image_nodes"],
                "packages": {**packages, "nvidia-fabricmanager": "@driver-*"},
            }
        )
        for name, accepts in (("good", ">=580, <600"), ("bad", ">=590, <600"))
    ]  # fmt: skip
    named = {GOOD: "good", BAD: "bad"}
    nodes = [
        one.model_copy(update={"node_class": named.get(one.name, one.node_class)}) for one in contract.nodes
    ]
    return contract.model_copy(update={"classes": [*contract.classes, *classes], "nodes": nodes}).sealed()


@pytest.fixture(scope="session")
def imaged(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return once(
        tmp_path_factory, "imaged",
        lambda at: record(
            at / "checkout", with_images(at / "version"), container=False, tags="packages,rdma,nvidia_fabric_manager"
        ),
    )  # fmt: skip


def test_another_image_stops_its_node_before_a_package_or_a_source_is_touched(imaged: Recorded) -> None:
    found = imaged.collector.nodes[BAD]
    assert found.failed_task and "not one of profile site" in found.message
    assert "nvidia_driver: found 580.173.02, expected >=590, <600" in found.message
    assert not imaged.asked[BAD], "nothing was asked of it"


def test_what_the_image_brings_is_held_and_pinned_to_what_is_there(imaged: Recorded) -> None:
    assert not imaged.collector.nodes[GOOD].failed_task, imaged.collector.nodes[GOOD].message
    asked = imaged.asked[GOOD][PACKAGES]
    assert not [name for name in asked["packages"] if name.startswith(("nvidia-open", "nvidia-driver"))]
    assert "nvidia-fabricmanager=580.173.02-*" in asked["packages"], "of the driver that was found"
    assert "nvidia-utils-*" in asked["hold"]
    written = imaged.text(GOOD, "/etc/apt/preferences.d/railbed")
    assert "Package: nvidia-utils-*\nPin: release a=now\nPin-Priority: 1001\n" in written
    assert "Package: nvidia-fabricmanager\nPin: version 580.173.02-*\n" in written


def test_sources_of_the_profile_stay(imaged: Recorded) -> None:
    assert imaged.asked[GOOD][SOURCES]["keep"] == ["/etc/apt/sources.list.d/own.list"]
    assert imaged.asked["ctl0"][SOURCES]["keep"] == []


def test_preferences_of_the_profile_go(imaged: Recorded) -> None:
    assert "/etc/apt/preferences.d/own-pin" in imaged.asked[GOOD][SOURCES]["absent"]
    assert imaged.asked["ctl0"][SOURCES]["absent"] == ["/etc/apt/sources.list"]


def test_names_that_a_service_of_the_image_gives_are_left_to_it(imaged: Recorded) -> None:
    asked = imaged.asked[GOOD]["rdma: Load the drivers, now and at every boot"]
    rules = "/etc/udev/rules.d/60-rdma-persistent-naming.rules"
    assert rules not in asked["files"] and rules not in asked["absent"]


DROP_IN = "/etc/systemd/system/rewrites.service.d/90-railbed.conf"


def test_a_unit_that_would_write_over_roles_does_nothing_and_is_not_stopped(imaged: Recorded) -> None:
    lines = imaged.text(GOOD, DROP_IN).splitlines()
    assert lines[1:] == ["[Service]", "ExecStart=", "ExecStart=/usr/bin/true", "ExecStop="]
    asked = imaged.asked[GOOD]["image: Take from units of the image what roles write"]
    assert not asked.get("units") and DROP_IN not in imaged.files["ctl0"] and DROP_IN not in imaged.files[BAD]
    order = list(imaged.asked[GOOD])
    assert order.index("image: Take from units of the image what roles write") < order.index(PACKAGES)
