"""The provider's metadata service answers root, and nobody else: it gives out credentials and the boot script."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Optional

import pytest

from railbed.validate.node.probe import Finding, Probe

OTHER_UID = "65534"
"""No account's of a job; what is refused to it is refused to every user but root and the agents."""
CONNECT_TIMEOUT_S = 2
TIMEOUT_S = 20
REACHES = f"""
import json, socket, sys
found = []
for address in sys.argv[1:]:
    try:
        socket.create_connection((address, 80), timeout={CONNECT_TIMEOUT_S}).close()
        found.append(address)
    except OSError:
        pass
print(json.dumps(found))
"""
"""Goes as an argument: another user may not read the folder of the checks."""
EXPECTED = "root alone"


def metadata_service(probe: Probe, want: dict[str, Any]) -> Finding:
    """Root reaches one of its addresses, another user none."""
    addresses = [str(address) for address in want["imds"]]
    if not addresses:
        return Finding("unproven", "the contract names no metadata service", expected=EXPECTED)
    other = ["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups"]
    said = []
    for before in ([], other):
        answer = probe.run([*before, "python3", "-I", "-c", REACHES, *addresses], TIMEOUT_S)
        reached = _read(answer.out, addresses)
        if answer.code != 0 or reached is None:
            return Finding("unproven", f"nobody could try it: {answer.first_line}", expected=EXPECTED)
        said.append(reached)
    by_root, by_others = said
    if by_others:
        reason = f"users reach the metadata service at {', '.join(by_others)}"
        return Finding("fail", reason, "everybody", "", EXPECTED, ("imds",))
    if not by_root:
        reason = "the metadata service does not answer root either, so nothing shows what keeps users away"
        return Finding("unproven", reason, expected=EXPECTED)
    return Finding("pass", f"only root reaches {', '.join(by_root)}", "root alone", "", EXPECTED)


def _read(text: str, addresses: list[str]) -> Optional[list[str]]:
    """The addresses that were reached; None for any other answer."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list) or any(one not in addresses for one in found):
        return None
    return found


@pytest.mark.claim("node.imds")
def test_imds(probe: Probe, want: dict[str, Any], judge: Callable[[Finding], None]) -> None:
    judge(metadata_service(probe, want))
