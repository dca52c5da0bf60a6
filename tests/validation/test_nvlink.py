"""NVLinks, in the form in which `nvidia-smi nvlink --status` prints them; built, not recorded."""

from __future__ import annotations

from typing import Any

import pytest

LINK = "\t Link {}: 26.562 GB/s\n"


def status(gpus: int = 8, links: int = 18, **odd: str) -> str:
    """All links up; ``odd`` has the line of one, ``g3_5`` for link 5 of GPU 3."""
    text = ""
    for gpu in range(gpus):
        text += f"GPU {gpu}: NVIDIA H100 80GB HBM3 (UUID: GPU-{gpu:08x}-0000-0000-0000-000000000000)\n"
        text += "".join(odd.get(f"g{gpu}_{link}", LINK.format(link)) for link in range(links))
    return text


@pytest.mark.refutes("node.nvlink")
@pytest.mark.parametrize(("text", "verdict", "parts"), [
    (status(), "pass", ()),
    (status(g3_5="\t Link 5: <inactive>\n"), "fail", ("gpu 3",)),
    (status(g3_5="\t Link 5: inactive\n", g6_0="\t Link 0: 20 GB/s\n"), "fail", ("gpu 3", "gpu 6")),
    (status(links=17), "fail", tuple(f"gpu {gpu}" for gpu in range(8))),
    (status(gpus=7), "unproven", ()),
    ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", "unproven", ()),
    ("", "unproven", ()),
])  # fmt: skip
def test_nvlink(
    world: Any, monkeypatch: pytest.MonkeyPatch, text: str, verdict: str, parts: tuple[str, ...]
) -> None:
    world.want |= {"nvlinks": 18, "nvlink_gbytes_per_s": 25.0, "gpus": 8}
    world.command("nvidia-smi", text)
    found = world.check("node.nvlink", monkeypatch)
    assert (found.verdict, found.parts) == (verdict, parts), found.reason
