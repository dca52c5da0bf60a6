"""Laws are tried without a deadline: a busy machine must not make one fail."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("railbed", deadline=None)
settings.load_profile("railbed")
