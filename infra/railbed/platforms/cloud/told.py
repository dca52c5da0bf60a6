"""Errors inside the engine's loop: nothing of railbed's is left there to catch them, so they are told as the engine's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import pulumi

from railbed.errors import RailbedError

P = ParamSpec("P")
T = TypeVar("T")


def told(step: Callable[P, T]) -> Callable[P, T]:
    """``step`` for use in ``Output.apply``: its RailbedError reaches the user as text, without a traceback."""

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return step(*args, **kwargs)
        except RailbedError as error:
            raise pulumi.RunError(error.as_text()) from None

    return run
