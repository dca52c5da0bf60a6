"""Reads `ethtool -S DEVICE` (ethtool(8)): the counters of an interface's driver by their names. Never raises."""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded

LINE = re.compile(r"^ {1,8}([\w.\[\]-]{1,80}): ([0-9]{1,20})$")
HEAD = "NIC statistics:"
ERROR = re.compile(r"^(?:netlink error: |Cannot get |no stats )(.*)$")


def plain(text: str) -> dict[str, Any]:
    """The counters as JSON data. Of a name that stands there twice the first counts."""
    counters: dict[str, int] = {}
    errors, unread = [], []
    for line in bare_lines(text):
        match, error = LINE.match(line), ERROR.match(line.strip())
        if match:
            counters.setdefault(match[1], int(match[2]))
        elif error:
            errors.append(line.strip())
        elif line.strip() != HEAD:
            unread.append(line)
    return {"counters": counters, "errors": bounded(errors), "unread": bounded(unread)}
