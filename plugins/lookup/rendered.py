"""Lookup ``rendered``: a role's template as text, without a copy of the node's variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

DOCUMENTATION = r"""
name: rendered
short_description: a template of the role, rendered with the node's variables
description:
  - What C(ansible.builtin.template) does as a lookup, with the node's own variables instead of a deep copy of them. The copy
    took more than a third of a converged run's processor time (docs/adr/0014-ansibles-own-strategy.md).
options:
  _terms:
    description: Names of templates, as tasks name them.
  template_vars:
    description: Further variables of the template. They hide the node's of the same name.
    type: dict
    default: {}
"""
RETURN = r"""
_raw:
  description: The text of each.
  type: list
  elements: str
"""


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Mapping[str, Any] | None = None, **options: Any) -> list[str]:
        """The text of each template; AnsibleError names one that is not there."""
        self.set_options(var_options=variables, direct=options)
        more = self.get_option("template_vars")
        return [self._rendered(term, variables or {}, more) for term in terms]

    def _rendered(self, term: str, variables: Mapping[str, Any], more: Mapping[str, Any]) -> str:
        path = self.find_file_in_search_path(variables, "templates", term)
        if not path:
            raise AnsibleError(f"no template {term} in the role's templates/")
        templar = self._templar.copy_with_new_env(
            searchpath=[str(Path(path).parent)], available_variables={**variables, **more} if more else None
        )
        text = trust_as_template(self._loader.get_text_file_contents(path))
        return str(templar.template(text, escape_backslashes=False))
