"""PCIe links: nvidia-smi's comma form and the files of sysfs-bus-pci (Linux, Documentation/ABI); built, not recorded."""

from __future__ import annotations

from typing import Any

import pytest

from railbed.validate.node.test_pcie import NET, RDMA

WHOLE = "".join(f"{gpu}, 16, 16\n" for gpu in range(8))
CARD = {"current_link_width": "16", "max_link_width": "16", "current_link_speed": "32.0 GT/s PCIe",
        "max_link_speed": "32.0 GT/s PCIe"}  # fmt: skip
SLOT = {"../max_link_width": "16", "../max_link_speed": "32.0 GT/s PCIe"}
"""The port above the card."""
VIRTUAL = {
    "current_link_width": "0",
    "max_link_width": "0",
    "current_link_speed": "Unknown",
    "max_link_speed": "Unknown",
}


@pytest.fixture
def links(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def found(gpus: str = WHOLE, card: dict[str, str] = CARD, device: str = "mlx5_3") -> Any:
        world.want |= {"gpus": 8, "rails": [{"index": 3, "device": device, "netdev": "rail3"}]}
        world.command("nvidia-smi", gpus)
        folder = f"{RDMA}/{device}/device" if device else f"{NET}/rail3/device"
        for name, text in {**SLOT, **card}.items():
            world.write(f"{folder}/{name}", text + "\n")
        return world.check("node.pcie", monkeypatch)

    return found


@pytest.mark.parametrize("device", ["mlx5_3", ""])
def test_whole_links_pass(links: Any, device: str) -> None:
    found = links(device=device)
    assert (found.verdict, found.measured) == ("pass", 9)


@pytest.mark.refutes("node.pcie")
def test_lanes_that_are_missing_are_named(links: Any) -> None:
    found = links(WHOLE.replace("5, 16, 16", "5, 8, 16"), {**CARD, "current_link_width": "8"})
    assert found.verdict == "fail"
    assert found.parts == ("gpu 5", "rail 3")
    assert "gpu 5: x8 of x16; rail 3: x8 of x16" in found.reason


def test_a_slow_card_fails(links: Any) -> None:
    found = links(card={**CARD, "current_link_speed": "16.0 GT/s PCIe"})
    assert (found.verdict, found.parts) == ("fail", ("rail 3",))
    assert "16 of 32 GT/s" in found.reason


def test_a_card_in_a_slot_of_an_older_generation_passes(links: Any) -> None:
    older = {**CARD, "current_link_speed": "16.0 GT/s PCIe", "../max_link_speed": "16.0 GT/s PCIe"}
    assert links(card=older).verdict == "pass"


def test_a_virtual_function_shows_no_link(links: Any) -> None:
    found = links(card=VIRTUAL)
    assert found.verdict == "pass"
    assert "1 cards show no link" in found.reason


@pytest.mark.parametrize("text", ["", "0, 16, 16\n", "0, [N/A], [N/A]\n" * 8, "NVIDIA-SMI has failed\n"])
def test_gpus_without_links_prove_nothing(links: Any, text: str) -> None:
    assert links(text).verdict == "unproven"
