"""Settings of every tier."""

from __future__ import annotations

from hypothesis import settings

# A loaded machine is no failed law; timings are benchmarks' business.
settings.register_profile("railbed", deadline=None)
settings.load_profile("railbed")
