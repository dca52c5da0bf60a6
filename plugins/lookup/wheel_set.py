"""Lookup ``wheel_set``: size of a set of wheels on this machine, once all its files were read and are as fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from railbed.effects import wheel_set

DOCUMENTATION = r"""
name: wheel_set
short_description: a set of wheels in the cache, read before it is carried
description:
  - Reads every file and compares it with the page beside it. A few GB take seconds, so only who carries the set looks it up.
options:
  _terms:
    description: Folders of sets.
"""
RETURN = r"""
_raw:
  description: Bytes of each.
  type: list
  elements: str
"""
NAMED_MOST = 3


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: object = None, **_options: Any) -> list[str]:  # noqa: ARG002
        """The size of each; AnsibleError names the damaged files of one."""
        return [self._size(Path(term)) for term in terms]

    def _size(self, place: Path) -> str:
        try:
            wrong = wheel_set.damaged(place)
            if wrong:
                wheel_set.forget(place)
                more = f" and {len(wrong) - NAMED_MOST} more" if len(wrong) > NAMED_MOST else ""
                raise AnsibleError(
                    f"damaged in {place}, not carried: {', '.join(wrong[:NAMED_MOST])}{more}; "
                    "`railbed up` fetches them again by the hashes of the locked list"
                )
            return str(wheel_set.size_bytes(place))
        except OSError as failed:
            raise AnsibleError(
                f"cannot read {place}: {failed}; remove that folder, and `railbed up` fetches it again"
            ) from None
