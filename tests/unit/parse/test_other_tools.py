"""iperf3's JSON and nvidia-smi's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.parse import iperf3, nvidia_smi, registry

DATA = Path(__file__).parent.parent / "data" / "parse"


def iperf(name: str) -> dict[str, Any]:
    """Real outputs of iperf3 3.12 over one rail shaped to 100 Mbit/s; `truncated.json` is the first half of one."""
    return iperf3.plain((DATA / "iperf3" / name).read_text())


def test_both_directions_of_one_run() -> None:
    run = iperf("bidir.json")
    assert (run["local"], run["remote"]) == ("10.91.3.11", "10.91.3.12")
    assert run["omitted_s"] == 1
    assert run["forward"]["received_gbps"] == pytest.approx(0.0991, abs=2e-4)
    assert run["reverse"]["received_gbps"] == pytest.approx(0.0986, abs=2e-4)
    assert [i["omitted"] for i in run["intervals"]] == [True, False, False]
    assert run["error"] is None


def test_a_slow_way_back_shows_only_in_reverse() -> None:
    run = iperf("bidir-reverse-5-percent-slow.json")
    assert run["forward"]["received_gbps"] == pytest.approx(0.099, abs=2e-4)
    assert run["reverse"]["received_gbps"] == pytest.approx(0.0937, abs=2e-4)


def test_single_directions() -> None:
    forward, reverse = iperf("forward.json"), iperf("reverse.json")
    assert forward["reverse"] is None
    assert forward["forward"]["received_gbps"] == pytest.approx(0.0991, abs=2e-4)
    assert reverse["forward"] is None
    assert reverse["reverse"]["received_gbps"] == pytest.approx(0.0992, abs=2e-4)


def test_an_error_is_told_and_has_no_rates() -> None:
    run = iperf("refused.json")
    assert run["error"] == "unable to connect to server: Connection refused"
    assert run["forward"] is None
    assert run["reverse"] is None


def test_half_a_document_has_no_rates() -> None:
    run = iperf("truncated.json")
    assert run["truncated"]
    assert run["forward"] is None
    assert run["unread"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["start", "end", "intervals", "sum", "sum_sent", "sum_received", "test_start", "connected",
                         "bits_per_second", "reverse", "error", "sum_sent_bidir_reverse"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON | st.text(max_size=200))
def test_no_document_breaks_iperf3(document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    assert set(iperf3.plain(text)) >= {"forward", "reverse", "error", "truncated", "unread"}


def test_deep_nesting_does_not_break_iperf3() -> None:
    assert iperf3.plain('{"a":' * 100_000)["truncated"]


def smi(name: str, fields: list[str] | None = None) -> dict[str, Any]:
    return nvidia_smi.plain((DATA / "nvidia_smi" / name).read_text(), fields)


def test_a_table_with_a_header() -> None:
    table = smi("header.csv")
    first, second = table["gpus"]
    assert first["memory.total"] == 81559
    assert first["power.draw"] == 69.0
    assert first["driver_version"] == "570.124.06"
    assert first["pci.bus_id"] == "00000000:10:00.0"
    assert first["clocks_throttle_reasons.active"] == "0x0000000000000001"
    assert second["power.draw"] is None
    assert second["ecc.errors.uncorrected.volatile.total"] == 3
    assert table["unread"] == table["errors"] == []


def test_a_table_without_a_header_needs_the_fields() -> None:
    fields = ["index", "pci.bus_id", "driver_version", "memory.total"]
    assert [g["index"] for g in smi("noheader.csv", fields)["gpus"]] == [2, 3]
    nameless = smi("noheader.csv")
    assert nameless["gpus"] == []
    assert len(nameless["unread"]) == 2


def test_what_nvidia_smi_says_instead_of_a_table() -> None:
    lost = smi("lost.csv")
    assert [g["index"] for g in lost["gpus"]] == [0]
    assert "GPU is lost" in lost["errors"][0]
    assert smi("mismatch.txt")["gpus"] == []
    assert "version mismatch" in smi("mismatch.txt")["errors"][0]


@given(st.text(max_size=300))
def test_no_text_breaks_nvidia_smi(text: str) -> None:
    assert set(nvidia_smi.plain(text)) == {"fields", "gpus", "errors", "unread"}


@pytest.mark.parametrize("parser", registry.PARSERS, ids=lambda p: p.tool)
def test_every_parser_keeps_what_it_cannot_read_and_finds_nothing_in_it(parser: registry.Parser) -> None:
    for text in ("", "\x00\xff garbage", "{", "[]", "# size count type"):
        document = parser.plain(text)
        assert not parser.found(document)
        json.dumps(document)
    assert parser.plain("some other tool's output")["unread"] == ["some other tool's output"]


def test_tools_are_known_by_name() -> None:
    assert {"iperf3", "nccl-tests", "nvidia-smi"} <= set(registry.tools())
    for parser in registry.PARSERS:
        assert registry.parser_of(parser.tool) is parser
        assert parser.reads
    assert registry.parser_of("nothing") is None
