"""Policy documents of the identities plan, apply, repair and validate, in each provider's own form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def document(folder: Path, name: str, cluster: str, region: str, account: str) -> dict[str, Any]:
    """``folder``'s document of an identity for one cluster: the words ``@CLUSTER@`` and the like stand for its values."""
    text = (folder / f"{name}.json").read_text()
    for word, value in (("@CLUSTER@", cluster), ("@REGION@", region), ("@ACCOUNT@", account)):
        text = text.replace(word, value)
    policy: dict[str, Any] = json.loads(text)
    return policy
