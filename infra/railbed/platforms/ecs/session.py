"""The API of an ECS cloud: what scaling groups hold and do. A cloud fills in its SDK's calls, and its own words."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from railbed.platforms.cloud import scope
from railbed.platforms.cloud.calls import ApiFailure, ProviderError
from railbed.platforms.cloud.members import Member
from railbed.spec.platforms import CloudPlatform

PAGE = 50
"""Members of a scaling group in one answer."""
INSTANCES = 100
"""Most instance ids of one DescribeInstances."""
MOST_REMOVED = 20
"""Most instances of one RemoveInstances (Volcengine, Auto Scaling API: InstanceIds.N, N from 1 to 20). Alibaba Cloud states
no limit; it is what its other calls on instances take."""


@dataclass(frozen=True)
class Words:
    """Names of fields and states in a cloud's answers."""

    cloud: str
    """The cloud's own name."""
    shape: str
    state: str
    """Of a member of a group."""
    desired: str
    """Size of a group."""
    began: str
    """Time of an activity."""
    tag: tuple[str, str]
    """Key and value."""
    going_on: tuple[str, ...]
    """States of an activity that may still bring nodes."""
    good: str
    zones: str
    """Of zone ids in DescribeZones; empty: it lists all."""
    architectures: dict[str, tuple[str, ...]]
    """CPU architecture of a machine → what images for it are of; one that is not here is not compared."""


@dataclass(frozen=True)
class Image:
    """A machine image, as far as it is looked at."""

    system: str
    architecture: str
    cloud_init: bool | None


class Session(ABC):
    """The services that railbed asks, in one region."""

    words: ClassVar[Words]

    @abstractmethod
    def account(self) -> str:
        """Id of the account that the keys belong to."""

    @abstractmethod
    def ecs(self, call: str, **fields: Any) -> Any:
        """An answer of ECS, e.g. ``ecs("describe_zones")``."""

    @abstractmethod
    def groups(self, call: str, **fields: Any) -> Any:
        """An answer of Auto Scaling."""

    @abstractmethod
    def instances(self, ids: list[str]) -> list[Any]:
        """Those that are there, of at most INSTANCES."""

    @abstractmethod
    def member(self, instance: Any) -> Member:
        """An instance with its private address."""

    @abstractmethod
    def console(self, instance: str) -> str:
        """What the instance printed so far, in Base64. Raises ProviderError."""

    @abstractmethod
    def image(self, name: str) -> Image | None:
        """The image; None where the account has none of that id in the region."""

    @abstractmethod
    def why(self, activity: Any) -> str:
        """What the provider says of a scaling activity."""

    @abstractmethod
    def remove(self, group: str, ids: list[str]) -> None:
        """Ends members of a group, whose size goes down with them."""

    @abstractmethod
    def resize(self, group: str, desired: int) -> None:
        """Sets how many instances a group asks for."""

    def require_account(self, place: CloudPlatform) -> None:
        """Raises RailbedError (code ACCOUNT) for another account; the Pulumi provider has no such argument of its own."""
        found = self.account()
        if found != place.account:
            raise scope.other_account(
                f"these credentials belong to another {self.words.cloud} account; nothing was made", found, place.account,
                "use the access key of the account in the spec",
            )  # fmt: skip

    def scaling_groups(self, ids: list[str] | None = None) -> Iterator[Any]:
        """These groups; without ``ids`` all of the account in the region."""
        return self._paged("scaling_groups", **({"scaling_group_ids": ids} if ids else {}))

    def members(self, group: str) -> Iterator[Any]:
        """What a scaling group holds, whatever its state."""
        return self._paged("scaling_instances", scaling_group_id=group)

    def newest(self, group: str) -> Any:
        """A group's newest scaling activity; None before the first."""
        answer = self.groups(
            "describe_scaling_activities", scaling_group_id=group, page_number=1, page_size=PAGE
        )
        began = self.words.began
        return max(answer.scaling_activities or [], key=lambda one: getattr(one, began) or "", default=None)

    def going_on(self, group: str) -> bool:
        """Whether a group is being changed."""
        activity = self.newest(group)
        return activity is not None and activity.status_code in self.words.going_on

    def _paged(self, what: str, **fields: Any) -> Iterator[Any]:
        page, seen = 1, 0
        while True:
            answer = self.groups(f"describe_{what}", page_number=page, page_size=PAGE, **fields)
            found = getattr(answer, what) or []
            yield from found
            seen, page = seen + len(found), page + 1
            if not found or seen >= (answer.total_count or 0):
                return


def items(answer: Any, name: str) -> list[Any]:
    """The list ``name`` of an answer; Alibaba Cloud's ECS wraps each in an object with a field of the singular."""
    found = getattr(answer, name)
    return list((found if isinstance(found, list) or found is None else getattr(found, name[:-1])) or [])


def credentials(cloud: str, names: Sequence[str]) -> list[str]:
    """Values of the variables that the Pulumi provider reads too. Raises ProviderError where one is not set."""
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ProviderError(cloud, ApiFailure(401, "MissingAccessKey", f"{', '.join(missing)} not set"))
    return [os.environ[name] for name in names]


def request(call: str) -> str:
    """Name of a call's request: ``DescribeZonesRequest`` of ``describe_zones``."""
    return "".join(word.capitalize() for word in call.split("_")) + "Request"
