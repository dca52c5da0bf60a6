"""Host keys of many nodes at once, each from what its console printed; waits for the boot of new ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from railbed.defaults import CLOUD_WORKERS, CONSOLE_POLL_S, CONSOLE_TIMEOUT_S
from railbed.platforms.cloud import keys

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Read = Callable[[str], str]
"""Instance id → what its console printed so far; empty: nothing yet, or the provider did not say."""


def host_keys(
    ids: Iterable[str],
    read: Read,
    known: Mapping[str, list[str]],
    given: Mapping[str, str],
) -> dict[str, list[str]]:
    """Instance id → host keys; [] where none was seen within CONSOLE_TIMEOUT_S.

    ``known`` are the keys of the last contract, ``given`` those that an operator read at the console and wrote into the
    spec. A console keeps only its last lines: one that scrolled past the boot message says nothing against a known key,
    so those stand; a different key on it replaces them here, and is for ``keys.trusted`` to refuse.
    """
    end = time.monotonic() + CONSOLE_TIMEOUT_S
    found: dict[str, list[str]] = {}
    waiting = list(ids)
    while waiting:
        texts = each(waiting, read)
        for one, text in zip(waiting, texts, strict=True):
            fallback = known.get(one) or ([given[one]] if one in given else [])
            found[one] = keys.from_console(text) or fallback
        waiting = [one for one in waiting if not found[one]]
        if not waiting or time.monotonic() + CONSOLE_POLL_S > end:
            break
        time.sleep(CONSOLE_POLL_S)
    return found


def without_looking(
    ids: Iterable[str], known: Mapping[str, list[str]], given: Mapping[str, str]
) -> dict[str, list[str]]:
    """The same in a preview, which asks nothing of a console: what is known, or given."""
    return {one: known.get(one) or ([given[one]] if one in given else []) for one in ids}


def each(items: Iterable[Item], ask: Callable[[Item], Answer]) -> list[Answer]:
    """``ask`` for all items, several side by side; results in their order."""
    with ThreadPoolExecutor(max_workers=CLOUD_WORKERS) as pool:
        return list(pool.map(ask, items))
