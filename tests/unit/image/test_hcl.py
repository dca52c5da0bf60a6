"""What the writer writes, a parser of the language reads back as it was meant."""

from __future__ import annotations

import json
from typing import Any

import hcl2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.platforms.packer.hcl import Block, Raw, quoted, text

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


def read(block: Block) -> Any:
    return hcl2.loads(text([block]))


def test_attributes_labels_and_nested_blocks() -> None:
    inner = Block("disk", (), {"size": 3, "encrypted": True})
    found = read(Block("source", ("kind", "image"), {"name": "a", "list": ["b", Raw("var.c")]}, [inner]))
    body = found["source"][0]['"kind"']['"image"']
    assert body["name"] == '"a"' and body["list"] == ['"b"', "${var.c}"]
    assert body["disk"][0]["size"] == 3 and body["disk"][0]["encrypted"] is True


def test_keys_that_are_no_names_are_quoted() -> None:
    assert text([Block("x", (), {"tags": {"railbed:release": "1", "plain": "2"}})]) == (
        'x {\n  tags = {\n    "railbed:release" = "1"\n    plain = "2"\n  }\n}\n'
    )


@pytest.mark.parametrize("value", ['"', "\\", "${var.secret}", "%{ if true }", "a\nb", "$${x}"])
def test_a_value_is_never_a_template_or_the_end_of_its_string(value: str) -> None:
    written = quoted(value)
    assert written.startswith('"') and written.endswith('"') and "\n" not in written
    bare = written.replace("$${", "").replace("%%{", "")
    assert "${" not in bare and "%{" not in bare


@given(TEXTS)
def test_a_text_means_itself(value: str) -> None:
    assert json.loads(quoted(value).replace("$${", "${").replace("%%{", "%{")) == value


# This reader takes an escaped template for one that must end; HCL itself does not.
@given(TEXTS.filter(lambda value: "{" not in value))
def test_every_text_stays_one_attribute(value: str) -> None:
    found = read(Block("x", (), {"a": value, "b": 1}))
    assert set(found["x"][0]) - {"__is_block__"} == {"a", "b"} and found["x"][0]["b"] == 1
