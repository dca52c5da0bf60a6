"""Nothing can be asked for: the reason, and the way round, in the form of every other platform."""

from __future__ import annotations

from railbed.platforms.cloud.support import FEATURES, Lacks, Support

REASON = "there is no Pulumi package for Tencent Cloud on PyPI"
WAY_ROUND = (
    "build on another platform; or make the machines by Tencent's own tools and name them under platform `metal` without "
    "`installer`, with their host keys"
)
SUPPORT: Support = dict.fromkeys(FEATURES, Lacks(REASON, WAY_ROUND))
