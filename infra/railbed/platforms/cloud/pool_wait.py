"""Waiting for a pool that a provider fills by itself: until its nodes are there, or it says why they will not be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from railbed.defaults import CLOUD_POOL_TIMEOUT_S, CONSOLE_POLL_S
from railbed.platforms.cloud import consoles
from railbed.platforms.cloud.members import Member, PoolStatus


def status(
    size: int,
    listed: Callable[[], list[Member]],
    reasons: Callable[[], list[str]],
    read: consoles.Read,
    known: Mapping[str, list[str]],
    given: Mapping[str, str],
    *,
    wait: bool,
) -> PoolStatus:
    """The pool's members with their host keys, as soon as there are ``size``, the provider gave up or the time is over.

    ``reasons``: why the provider's latest attempt failed; empty while it goes on. ``read``, ``known`` and ``given`` as in
    ``consoles``. A pool that is not full is no error: the next run goes on where this one ended. Without ``wait`` (a
    preview) what is there now is listed, and no console is read.
    """
    end = time.monotonic() + CLOUD_POOL_TIMEOUT_S
    members, why = listed(), []
    while wait and len(members) < size:
        why = reasons()
        if why or time.monotonic() + CONSOLE_POLL_S > end:
            break
        time.sleep(CONSOLE_POLL_S)
        members = listed()
    return PoolStatus(
        members=with_keys(members, read, known, given, wait=wait), reasons=why if len(members) < size else []
    )


def with_keys(
    members: list[Member],
    read: consoles.Read,
    known: Mapping[str, list[str]],
    given: Mapping[str, str],
    *,
    wait: bool,
) -> list[Member]:
    """``members`` with their host keys; those that show none keep an empty list, and nobody logs in to them."""
    ids = [one.id for one in members]
    keys = (
        consoles.host_keys(ids, read, known, given) if wait else consoles.without_looking(ids, known, given)
    )
    return [one.model_copy(update={"host_keys": keys[one.id]}) for one in members]
