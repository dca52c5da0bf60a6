"""Drawings of fabrics."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from railbed import plotting
from railbed.errors import UsageError
from railbed.fabric import FabricRequest, Names, plan
from railbed.toolbox import fabric_picture

PAGE = Path(__file__).parents[3] / "docs/reference/fabric-127.svg"
PUBLISHED = FabricRequest(nodes=127, extra_endpoints=4)


def texts(document: str) -> set[str]:
    return {element.text.strip() for element in ElementTree.fromstring(document).iter() if element.text} - {
        ""
    }


@pytest.mark.parametrize(
    "requested",
    [
        FabricRequest(nodes=32),
        FabricRequest(nodes=3000),
        FabricRequest(nodes=60, rail_only=True, planes=2),
        FabricRequest(nodes=1),
        FabricRequest(nodes=31, extra_endpoints=260),
    ],
)
def test_drawings_say_the_counts(requested: FabricRequest) -> None:
    fabric = plan(requested)
    told = texts(fabric_picture.svg(fabric, Names(node="<$node>{node}").checked(requested.planes)))
    [counts] = (text for text in told if text.startswith("switches: "))
    assert f"{fabric.switches['leaf']} leaf" in counts
    assert f"{fabric.cables['node_leaf']} node–leaf" in counts
    assert ("planes alike" in counts) == (requested.planes > 1)


def test_the_drawing_in_the_documentation_is_the_programs_own() -> None:
    drawn = fabric_picture.svg(plan(PUBLISHED), Names().checked(1))
    assert drawn == fabric_picture.svg(plan(PUBLISHED), Names().checked(1))
    assert texts(drawn) == texts(PAGE.read_text())
    assert "SU 3: 32 of 32 nodes" in texts(drawn)


def test_without_matplotlib_a_drawing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotting, "available", lambda: False)
    with pytest.raises(UsageError, match="matplotlib") as refused:
        fabric_picture.svg(plan(PUBLISHED), Names().checked(1))
    assert "--extra report" in refused.value.hint
