"""Reads the JSON of `iperf3 -J` (esnet/iperf): rates of both directions, what was left out, errors.

Never raises on any text.
"""

from __future__ import annotations

from typing import Any

from railbed.parse.json_text import document, items, leftover, mapping, real, text_or_none

KNOWN = frozenset(
    ("start", "intervals", "end", "error", "title", "extra_data", "server_output_json", "server_output_text")
)


def _sum(end: dict[str, Any], name: str) -> Any:
    """Gb/s of one of iperf3's sums over the time that counts, or None."""
    rate = real(mapping(end.get(name)).get("bits_per_second"))
    return None if rate is None or rate < 0 else rate / 1e9


def _direction(end: dict[str, Any], suffix: str) -> dict[str, Any]:
    received = mapping(end.get("sum_received" + suffix))
    return {
        "sent_gbps": _sum(end, "sum_sent" + suffix),
        "received_gbps": _sum(end, "sum_received" + suffix),
        "bytes": real(received.get("bytes")),
        "seconds": real(received.get("seconds")),
        "retransmits": real(mapping(end.get("sum_sent" + suffix)).get("retransmits")),
    }


def _intervals(root: dict[str, Any]) -> list[dict[str, Any]]:
    sums = [mapping(mapping(interval).get("sum")) for interval in items(root.get("intervals"))]
    return [
        {
            "start_s": real(s.get("start")),
            "gbps": None if real(s.get("bits_per_second")) is None else real(s.get("bits_per_second")) / 1e9,
            "omitted": s.get("omitted") is True,
        }
        for s in sums
        if s
    ]


def _least_round_trip(end: dict[str, Any]) -> Any:
    """Microseconds: the least that any sending stream's TCP measured, or None."""
    found = [real(mapping(mapping(one).get("sender")).get("min_rtt")) for one in items(end.get("streams"))]
    return min((one for one in found if one), default=None)


def plain(text: str) -> dict[str, Any]:
    """The run as JSON data.

    ``forward`` is client to server, ``reverse`` server to client; a direction that was not run is null, as is
    every number that the document lacks. ``received_gbps`` is what arrived after the first ``omitted_s``.
    ``truncated`` is true where the text holds no whole document.
    """
    found = document(text, "{")
    root = mapping(found)
    start, end = mapping(root.get("start")), mapping(root.get("end"))
    test = mapping(start.get("test_start"))
    connected = mapping(next(iter(items(start.get("connected"))), None))
    reverse_only = bool(test.get("reverse")) and not test.get("bidir")
    main = _direction(end, "") if end else None
    other = _direction(end, "_bidir_reverse") if "sum_sent_bidir_reverse" in end else None
    return {
        "local": connected.get("local_host"),
        "remote": connected.get("remote_host"),
        "protocol": test.get("protocol"),
        "streams": real(test.get("num_streams")),
        "duration_s": real(test.get("duration")),
        "omitted_s": real(test.get("omit")),
        "forward": None if reverse_only else main,
        "reverse": main if reverse_only else other,
        "intervals": _intervals(root),
        "least_round_trip_us": _least_round_trip(end),
        "congestion": end.get("sender_tcp_congestion"),
        "error": text_or_none(root.get("error")),
        "truncated": found is None and bool(text.strip()),
        "unread": leftover(text, found, KNOWN),
    }
