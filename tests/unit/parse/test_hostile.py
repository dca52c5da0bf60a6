"""No text breaks any reader: random, spliced, cut, deep, huge. And they run on nodes: Python 3.9, standard library only."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railbed.parse import registry
from railbed.parse.lines import LINE_KEPT, UNREAD_KEPT

DATA = Path(__file__).parent.parent / "data" / "parse"
SOURCES = sorted(Path(registry.__file__).parent.glob("*.py"))
SAMPLES = [
    file.read_bytes().decode(errors="replace")
    for file in sorted(DATA.rglob("*"))
    if file.is_file() and file.suffix != ".md" and file.stat().st_size < 40_000
]
CARRIED = ("railbed.defaults", "railbed.text")
"""What the health check's bundle brings beside the parsers (roles/checks), with no library but the standard one."""
WORDS = sorted({word for text in SAMPLES for word in text.split()})
each_parser = pytest.mark.parametrize("parser", registry.PARSERS, ids=lambda p: p.tool)

SPLICED = st.lists(
    st.tuples(st.sampled_from(SAMPLES), st.integers(0, 4000), st.integers(0, 600)), min_size=1, max_size=4
).map(lambda parts: "".join(text[start : start + length] for text, start, length in parts))
SHUFFLED = st.lists(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), max_size=12).map("\n".join)
BYTES = st.binary(max_size=300).map(lambda b: b.decode(errors="replace"))
TEXTS = st.one_of(st.text(max_size=300), SPLICED, SHUFFLED, BYTES)


def plain(parser: registry.Parser, text: str) -> registry.Document:
    """The document, which must be JSON without NaN."""
    document = parser.plain(text)
    json.dumps(document, allow_nan=False)
    assert isinstance(document["unread"], list)
    assert len(document["unread"]) <= UNREAD_KEPT + 1
    assert all(len(line) <= LINE_KEPT + 1 for line in document["unread"])
    parser.found(document)
    return document


@each_parser
@settings(max_examples=60)
@given(TEXTS)
def test_no_text_breaks_a_reader(parser: registry.Parser, text: str) -> None:
    plain(parser, text)


@each_parser
def test_no_text_of_another_tool_breaks_a_reader(parser: registry.Parser) -> None:
    for text in SAMPLES:
        plain(parser, text)
        plain(parser, text.encode().decode("utf-16", errors="replace"))


HOSTILE = {
    "empty": "",
    "binary": bytes(range(256)).decode(errors="replace") * 50,
    "one long line": "a" * 200_000,
    "many lines": "no tool says this\n" * 3000,
    "deep list": "[" * 50_000,
    "deep object": '{"a":' * 50_000,
    "a huge integer": '{"end": {"sum_received": {"bits_per_second": ' + "9" * 4000 + "}}}",
    "an integer without floating point": '[{"port": ' + "9" * 400 + "}]",
    "infinity": '{"nvbandwidth": {"testcases": [{"sum": 1e999, "bandwidth_matrix": [[1e999]]}]}}',
    "the wrong types": '{"jobs": 3, "results": {}, "DCGM Diagnostic": [], "nvbandwidth": "no", "lldp": null}',
    "keys of the wrong types": '{"jobs": [1, null, {"read": [], "write": {"io_bytes": true}}], "results": [[], 7, {"size": []}]}',
    "deep XML": "<nvidia_smi_log>" + "<a>" * 5000,
    "carriage returns": "progress\r" * 2000,
    "colours": "\x1b[31m" * 5000 + "\x1b]0;title",
    "tags upon tags": "0: [1,0]<stdout>: " * 500,
}


@each_parser
@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_texts(parser: registry.Parser, text: str) -> None:
    assert not parser.found(plain(parser, text))


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_readers_run_on_nodes(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert imported <= {*sys.stdlib_module_names, "railbed"}
    own = [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("railbed")
    ]
    allowed = ("railbed.parse", *CARRIED)
    assert all(module.startswith(allowed) for module in own if module)


def test_every_tool_of_a_data_folder_has_good_degraded_truncated_and_hostile_samples() -> None:
    for folder in (f for f in DATA.iterdir() if f.is_dir()):
        files = [f for f in folder.iterdir() if f.name != "README.md"]
        assert len(files) >= 3, folder.name
        assert any("truncated" in f.name for f in files), folder.name
        assert (folder / "README.md").is_file(), folder.name
