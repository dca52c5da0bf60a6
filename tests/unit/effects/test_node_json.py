"""The reader of nodes' JSON: what a broken or hostile node prints ends as one sentence, never as another exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from railbed.defaults import REPLY_MAX_BYTES
from railbed.effects import node_json
from railbed.text import plain


class Sample(node_json.Reply):
    rate: float
    count: node_json.Whole = 0
    told: node_json.Words = ""


KIND = TypeAdapter(list[Sample])


def refused(text: str) -> str:
    with pytest.raises(node_json.Unreadable) as caught:
        node_json.read(text, KIND, "h100-1")
    return caught.value.message


def test_an_answer_is_read_with_its_types() -> None:
    found = node_json.read('[{"rate": 8, "count": 3, "told": "a\\tb", "more": {}}]', KIND, "h100-1")
    assert found == [Sample(rate=8.0, count=3, told="a b")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "printed nothing"),
        (" \n", "printed nothing"),
        ("Traceback (most recent call last):", "an answer that "),
        ("[" * 100_000, "an answer that "),
        ('{"a":' * 100_000, "an answer that "),
        ('[{"rate": ' + "9" * 5000 + "}]", "an answer that "),
        ('[{"rate": ' + "9" * 400 + "}]", "digits"),
        ('[{"rate": NaN}]', "an answer that "),
        ('[{"rate": -Infinity}]', "an answer that "),
        ('[{"rate": 1e999}]', "too large"),
        ('[{"rate": {}}]', "0.rate"),
        ('[{"rate": "8"}]', "0.rate"),
        ('[{"rate": true}]', "0.rate"),
        ('[{"rate": 1, "count": -1}]', "0.count"),
        ('[{"rate": 1, "count": 1e3}]', "0.count"),
        ('[{"rate": 1, "count": ' + "9" * 30 + "}]", "0.count"),
        ('[{"rate": 1, "told": []}]', "0.told"),
        ('[{"rate": 1, "told": "\\ud800"}]', "an answer that "),
        ("[{}]", "0.rate"),
        ("[[]]", "another answer"),
        ("null", "another answer"),
        ("{}", "another answer"),
        ("7", "another answer"),
        ('[{"rate": 1}] more', "an answer that "),
    ],
)
def test_what_is_wrong_is_a_sentence_about_the_node(text: str, told: str) -> None:
    message = refused(text)
    assert message.startswith("h100-1 printed ")
    assert told in message
    assert len(message) < 500
    assert "Traceback" not in message or text.startswith("Traceback")


def test_an_answer_that_is_too_big_is_not_parsed() -> None:
    assert "more than" in refused("[" + " " * REPLY_MAX_BYTES + "]")
    assert node_json.read("[" + " " * (REPLY_MAX_BYTES - 2) + "]", KIND, "a") == []


def test_the_words_of_a_node_lose_what_a_terminal_obeys() -> None:
    text = json.dumps([{"rate": 1, "told": "x\x1b[2J\x1b]52;c;aGk=\x07y\u202ez\x9b0m" + "w" * 1000}])
    (found,) = node_json.read(text, KIND, "h100-1")
    assert found.told.startswith("xy?z?0mwww")
    assert len(found.told) == 500
    assert "\x1b" not in refused("\x1b[2J")


def test_of_many_lines_those_that_fit_are_kept() -> None:
    text = 'srun: warning\n{"rate": 1}\n{"rate": NaN}\n[[[[\n{"rate": 2, "told": "\n{"rate": 3}'
    assert [s.rate for s in node_json.lines(text, TypeAdapter(Sample))] == [1.0, 3.0]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["rate", "count", "told"]) | st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(values | st.lists(st.fixed_dictionaries({"rate": values, "count": values, "told": values})))
def test_any_document_is_read_or_refused(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        try:
            found = node_json.read(text, KIND, "h100-1")
        except node_json.Unreadable as refusal:
            assert plain(refusal.message) == refusal.message
        else:
            json.dumps([one.model_dump() for one in found], allow_nan=False)


@given(
    st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]))
    | st.text('[]{}",:0129eE+-.ntrufalseNI\\')
)
def test_any_text_is_read_or_refused(text: str) -> None:
    node_json.lines(text, KIND)
    try:
        node_json.read(text, KIND, "h100-1")
    except node_json.Unreadable as refusal:
        assert plain(refusal.message) == refusal.message
