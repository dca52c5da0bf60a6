"""Members of pools as the scaling groups list them, their addresses, and their host keys from the console."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Generic, TypeVar

from railbed.platforms.cloud import pool_wait
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.members import Member, PoolStatus, share
from railbed.platforms.cloud.scale_in import batches
from railbed.platforms.ecs.session import INSTANCES, Session

S = TypeVar("S", bound=Session)
THERE = "InService"


class PoolReader(Generic[S]):
    """One cluster's look-ups: what the last contract knew goes into them, and whether they may wait."""

    def __init__(
        self, session: S, limit: int, known: Mapping[str, list[str]], given: Mapping[str, str], *, wait: bool
    ) -> None:
        self.session = session
        self.limit = limit
        """Nodes of one scaling group."""
        self.known = known
        self.given = given
        self.wait = wait

    def pool(self, groups: list[str], size: int) -> PoolStatus:
        """The members of a pool's scaling groups; fewer than ``size`` with the reasons of the last scaling activities."""
        return pool_wait.status(
            size, lambda: self._members(groups), lambda: self._reasons(groups), self.console, self.known, self.given,
            wait=self.wait,
        )  # fmt: skip

    def one(self, instance: str) -> PoolStatus:
        """A single instance: the controller or the gate."""
        members = [self.session.member(one) for one in self.session.instances([instance])]
        return PoolStatus(
            members=pool_wait.with_keys(members, self.console, self.known, self.given, wait=self.wait)
        )

    def console(self, instance: str) -> str:
        """What the instance printed so far; empty where the provider does not say (yet)."""
        try:
            return decoded(self.session.console(instance))
        except ProviderError:
            return ""

    def _members(self, groups: list[str]) -> list[Member]:
        places = {
            one.instance_id: share(index, self.limit)
            for index, group in enumerate(groups)
            for one in self.session.members(group)
            if getattr(one, self.session.words.state) == THERE
        }
        return [
            self.session.member(one).model_copy(update={"places": places[one.instance_id]})
            for some in batches(list(places), INSTANCES)
            for one in self.session.instances(some)
        ]

    def _reasons(self, groups: list[str]) -> list[str]:
        """Why the latest activity of each group ended badly; [] while any goes on."""
        words = self.session.words
        latest = [one for one in map(self.session.newest, groups) if one is not None]
        if any(one.status_code in words.going_on for one in latest):
            return []
        return [
            f"{one.scaling_group_id}: {self.session.why(one)}"
            for one in latest
            if one.status_code != words.good
        ]


def decoded(text: str) -> str:
    """Text of Base64; empty where it is none."""
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except binascii.Error:
        return ""
