"""Search spaces of NCCL's settings: each knob with its source, none that could change results, and what is tried of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from railbed import catalog
from railbed.catalog.tuning import Knob, Tuning
from railbed.contract import Machine
from railbed.contract.scalars import EnvironmentName, EnvironmentValue

ROOT = Path(__file__).resolve().parents[3]
SOURCE = {"source": "fabricated for a test", "checked": "2026-12-01"}
SAID = {"reason": "for a test", "safe": "for a test", "provenance": SOURCE}
TRANSPORTS = get_args(Machine.model_fields["transport"].annotation)
KNOBS = [
    (transport, name, knob)
    for transport in TRANSPORTS
    for name, knob in catalog.load_tuning(transport).knobs.items()
]


def space(**knobs: dict[str, Any]) -> Tuning:
    whole = {name: {"default": "1", "values": ["2"], **SAID, **knob} for name, knob in knobs.items()}
    return Tuning.model_validate({"key": "x", "title": "x", "knobs": whole})


def test_each_transport_has_a_space_and_no_other_is_there() -> None:
    assert sorted(catalog.keys("tuning")) == sorted(TRANSPORTS)
    assert all(catalog.load_tuning(transport).knobs for transport in TRANSPORTS)


@pytest.mark.parametrize(("transport", "name", "knob"), KNOBS, ids=[f"{t}-{n}" for t, n, _ in KNOBS])
def test_a_contract_takes_every_value_and_each_has_a_source(transport: str, name: str, knob: Knob) -> None:
    assert knob.provenance.source and knob.provenance.file.endswith(f"tuning/{transport}.yaml")
    TypeAdapter(EnvironmentName).validate_python(name)
    for value in (knob.default, *knob.values):
        TypeAdapter(EnvironmentValue).validate_python(value)


def test_the_role_refuses_none_of_them() -> None:
    vars_ = yaml.safe_load((ROOT / "roles/nccl/vars/main.yml").read_text())
    assert vars_["nccl_forbidden"]
    for row in vars_["nccl_forbidden"]:
        for transport, name, _ in KNOBS:
            assert transport not in row["fabrics"] or not re.fullmatch(row["variable"], name), (
                transport,
                name,
            )


@pytest.mark.parametrize(
    "name", ["NCCL_NTHREADS", "NCCL_ALGO", "NCCL_P2P_DISABLE", "NCCL_IB_TIMEOUT", "NCCL_CHUNK_SIZE", "PATH", "LD_PRELOAD"]
)  # fmt: skip
def test_what_changes_results_or_hides_faults_is_in_no_space(name: str) -> None:
    with pytest.raises(ValidationError, match="in no space"):
        space(**{name: {}})


@pytest.mark.parametrize(
    ("knob", "what"),
    [
        ({"values": ["1"]}, "differ"), ({"values": ["2", "2"]}, "differ"), ({"values": ["a b"]}, "no value"),
        ({"values": ["$(id)"]}, "no value"), ({"beside": {"NCCL_B": ["2"]}}, "not in this space"),
        ({"values": []}, "at least 1"), ({"safe": ""}, "at least 8"),
    ],
)  # fmt: skip
def test_a_knob_that_does_not_hold_is_refused(knob: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        space(NCCL_A=knob)


def test_one_knob_at_a_time_and_the_default_where_something_else_is_set() -> None:
    one = space(NCCL_A={"values": ["2", "4"]})
    assert one.candidates({}, "") == [{"NCCL_A": "2"}, {"NCCL_A": "4"}]
    assert one.candidates({"NCCL_A": "4"}, "") == [{"NCCL_A": "1"}, {"NCCL_A": "2"}]
    assert one.candidates({"NCCL_A": "9"}, "") == [{"NCCL_A": "1"}, {"NCCL_A": "2"}, {"NCCL_A": "4"}]
    assert space(NCCL_A={"default": ""}).candidates({}, "") == [{"NCCL_A": "2"}]


def test_a_knob_that_needs_another_is_tried_with_it() -> None:
    both = space(
        NCCL_Q={"values": ["2", "4"]},
        NCCL_S={"default": "0", "values": ["1"], "beside": {"NCCL_Q": ["2", "4"]}},
    )
    pairs = [{"NCCL_S": "1", "NCCL_Q": "2"}, {"NCCL_S": "1", "NCCL_Q": "4"}]
    assert both.candidates({}, "") == [{"NCCL_Q": "2"}, {"NCCL_Q": "4"}, *pairs]
    assert {"NCCL_S": "1"} in both.candidates({"NCCL_Q": "2"}, "")


@pytest.mark.parametrize(("nccl", "count"), [("2.18.1", 1), ("2.30.4", 1), ("2.17", 0), ("", 0)])
def test_a_knob_is_tried_where_nccl_has_it(nccl: str, count: int) -> None:
    assert len(space(NCCL_A={"nccl_from": "2.18"}).candidates({}, nccl)) == count
