"""Errors inside the engine's loop: nothing of railbed's is left there to catch them, so they are told as the engine's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import pulumi

from railbed.errors import RailbedError

P = ParamSpec("P")
T = TypeVar("T")


class ToldError(RailbedError, pulumi.RunError):
    """A RailbedError whose whole text the engine prints, and no traceback."""

    def __init__(self, error: RailbedError) -> None:
        super().__init__(
            error.message,
            path=error.path,
            found=error.found,
            allowed=error.allowed,
            hint=error.hint,
            code=error.code,
        )

    def __str__(self) -> str:
        return self.as_text()


def told(step: Callable[P, T]) -> Callable[P, T]:
    """``step`` for use in ``Output.apply``: its RailbedError reaches the user as text, without a traceback."""

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return step(*args, **kwargs)
        except RailbedError as error:
            raise ToldError(error) from None

    return run
