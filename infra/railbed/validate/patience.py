"""Pauses before what was measured under bad conditions is measured again."""

from __future__ import annotations

import time
from collections.abc import Callable

from railbed.defaults import MEASURE_BUDGET_S

MEASURE_PAUSE_S = 4.0
"""Pause before what failed under bad conditions is measured again; doubles each time."""


class Patience:
    """Pauses that double, within one budget for a step of a validation."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.left_s = MEASURE_BUDGET_S
        self.next_s = MEASURE_PAUSE_S

    def pause(self, reason: str) -> bool:
        """Waits for better conditions; False at once where the budget is used up."""
        if self.next_s > self.left_s:
            return False
        self.say(f"measures again in {self.next_s:g} s: {reason}")
        time.sleep(self.next_s)
        self.left_s -= self.next_s
        self.next_s *= 2
        return True
