"""Curves over sizes, and their picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from railbed.catalog import load_machine
from railbed.laws import bandwidth
from railbed.parse import nccl_tests
from railbed.toolbox import curves, plot
from railbed.units import GIB, KIB, MIB

DATA = Path(__file__).parent.parent / "data" / "parse" / "nccl_tests"
P5 = bandwidth.of(load_machine("aws/p5.48xlarge"))
LOG = nccl_tests.read((DATA / "published" / "aws-p5-2-nodes.log").read_text())


def test_curves_of_a_published_machine() -> None:
    picture = curves.picture(P5, 2, "all_reduce", GIB, None, [("p5.log", LOG)])
    assert picture.title == "all_reduce over 2 × aws/p5.48xlarge (16 ranks)"
    assert [c.name for c in picture.measured] == ["p5.log", "p5.log, in place"]
    largest = 16 * GIB
    assert [c.points[-1][0] for c in (picture.bound, picture.expected, picture.floor)] == [largest] * 3
    assert picture.floor.points[0][0] >= GIB * 0.99
    assert {v for _, v in picture.bound.points} == {picture.bound.points[0][1]}
    expected = dict(picture.expected.points)
    assert expected[KIB] < 1 < expected[MIB] < expected[GIB]
    values = [value for _, value in picture.expected.points]
    assert values == sorted(values)
    measured = dict(picture.measured[0].points)
    for size in (64 * MIB, GIB, 16 * GIB):
        assert measured[size] == pytest.approx(expected[size], rel=0.2)


def test_sizes_reach_from_one_kib_to_the_largest() -> None:
    sizes = curves.sizes_up_to(16 * GIB)
    assert (sizes[0], sizes[-1], len(sizes)) == (KIB, 16 * GIB, 49)
    assert sizes == sorted(set(sizes))
    assert curves.sizes_up_to(8) == [KIB]


def test_logs_of_other_collectives_are_not_drawn() -> None:
    picture = curves.picture(P5, 2, "all_gather", GIB, None, [("p5.log", LOG)])
    assert picture.measured == []
    assert curves.known("alltoall")


def test_the_picture_is_the_same_every_time() -> None:
    picture = curves.picture(P5, 2, "all_reduce", GIB, None, [("p5.log", LOG)])
    svg = plot.svg(picture)
    assert svg == plot.svg(picture)
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    texts = {element.text for element in root.iter() if element.text}
    assert {
        "bound",
        "expected",
        "floor",
        "p5.log",
        "p5.log, in place",
        "message size",
        picture.title,
    } <= texts


def test_a_case_without_references_has_a_picture_too() -> None:
    assert "<svg" in plot.svg(
        curves.picture(bandwidth.of(load_machine("metal/hgx-h800")), 4, "alltoall", MIB)
    )
    assert "<svg" in plot.svg(
        curves.picture(bandwidth.of(load_machine("lab/rail8")), 4, "all_reduce", 64 * MIB)
    )


def test_hostile_names_stay_text_and_what_is_not_finite_is_left_out() -> None:
    bad = curves.Curve(name="_<b>&\"'$x^2$", points=[(8, 0.0), (GIB, float("inf")), (4 * GIB, 900.0)])
    one = curves.Curve(name="bound", points=[(MIB, 400.0)])
    nothing = [curves.Curve(name=name, points=[]) for name in ("expected", "floor")]
    picture = curves.Picture(title="a & b", bound=one, expected=nothing[0], floor=nothing[1], measured=[bad])
    told = {element.text for element in ElementTree.fromstring(plot.svg(picture)).iter() if element.text}
    assert {bad.name, "bound", "a & b"} <= told
    assert "floor" not in told
