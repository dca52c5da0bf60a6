"""Reads the JSON of `iperf3 -J` (esnet/iperf): rates of both directions, what was left out, errors.

Never raises on any text.
"""

from __future__ import annotations

import json
from typing import Any

from railbed.parse.numbers import finite


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> Any:
    return value if finite(value) else None


def _first_document(text: str) -> Any:
    """The first JSON value at or after the first brace; None where there is none that is whole."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _sum(end: dict[str, Any], name: str) -> Any:
    """Gb/s of one of iperf3's sums over the time that counts, or None."""
    rate = _number(_object(end.get(name)).get("bits_per_second"))
    return None if rate is None or rate < 0 else rate / 1e9


def _direction(end: dict[str, Any], suffix: str) -> dict[str, Any]:
    sent, received = _sum(end, "sum_sent" + suffix), _sum(end, "sum_received" + suffix)
    return {
        "sent_gbps": sent,
        "received_gbps": received,
        "bytes": _number(_object(end.get("sum_received" + suffix)).get("bytes")),
        "seconds": _number(_object(end.get("sum_received" + suffix)).get("seconds")),
        "retransmits": _number(_object(end.get("sum_sent" + suffix)).get("retransmits")),
    }


def plain(text: str) -> dict[str, Any]:
    """The run as JSON data.

    ``forward`` is client to server, ``reverse`` server to client; a direction that was not run is null, as is
    every number that the document lacks. ``received_gbps`` is what arrived after the first ``omitted_s``.
    ``truncated`` is true where the text holds no whole document.
    """
    document = _first_document(text)
    root = _object(document)
    start, end = _object(root.get("start")), _object(root.get("end"))
    test = _object(start.get("test_start"))
    connected = _object(next(iter(_list(start.get("connected"))), None))
    reverse_only = bool(test.get("reverse")) and not test.get("bidir")
    main = _direction(end, "") if end else None
    other = _direction(end, "_bidir_reverse") if "sum_sent_bidir_reverse" in end else None
    error = root.get("error")
    intervals = [
        {
            "start_s": _number(s.get("start")),
            "gbps": None if rate is None else rate / 1e9,
            "omitted": s.get("omitted") is True,
        }
        for s in (_object(_object(i).get("sum")) for i in _list(root.get("intervals")))
        if (rate := _number(s.get("bits_per_second"))) is not None or s
    ]
    return {
        "local": connected.get("local_host"),
        "remote": connected.get("remote_host"),
        "protocol": test.get("protocol"),
        "streams": _number(test.get("num_streams")),
        "duration_s": _number(test.get("duration")),
        "omitted_s": _number(test.get("omit")),
        "forward": None if reverse_only else main,
        "reverse": main if reverse_only else other,
        "intervals": intervals,
        "congestion": end.get("sender_tcp_congestion"),
        "error": error if isinstance(error, str) else None,
        "truncated": document is None and bool(text.strip()),
        "unread": text[:2000].splitlines()
        if document is None and text.strip()
        else sorted(set(root) - KNOWN),
    }


KNOWN = {
    "start",
    "intervals",
    "end",
    "error",
    "title",
    "extra_data",
    "server_output_json",
    "server_output_text",
}
