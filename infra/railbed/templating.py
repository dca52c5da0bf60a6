"""Ansible's templating without doing the same again: for a strategy plugin, in the process of ansible-playbook.

Ansible compiles a template each time that it is asked for, and each variable is one. Each that is looked up on the way to a
value begins with a list of all variables, and each template file with a copy of them, value by value. With 50 nodes that was
half of all that the controller did. `begin` changes four things:

- What was compiled is kept, in the process and in a folder, since every process that Ansible starts would begin anew.
- The variables are listed once for each value that a task is given, and what was worked out on the way serves the whole of it.
- A template file gets a copy of the list of variables; the values themselves a template cannot change.
- What files of variables say of a host is put together once, since they do not change during a run.

Names of ansible-core that are not public: a version that has them no more fails at import, and the tests compare what comes out.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from types import CodeType
from typing import Any

import jinja2
from ansible._internal._templating import _jinja_bits
from ansible._internal._templating._jinja_bits import (
    _TEMPLATE_OVERRIDE_FIELD_NAMES,
    AnsibleEnvironment,
    _AnsibleLazyTemplateMixin,
    _TemplateCompileContext,
)
from ansible._internal._templating._utils import TemplateContext
from ansible.plugins.loader import lookup_loader
from ansible.release import __version__ as ansible_version
from ansible.vars import manager
from ansible.vars import plugins as vars_plugins
from jinja2.bccache import Bucket, FileSystemBytecodeCache
from jinja2.environment import TemplateExpression

VERSIONS = f"{ansible_version} {jinja2.__version__}"


def begin(folder: Path) -> None:
    """Applies to this process and its children. ``folder`` is made for this user alone: it holds executable bytecode."""
    _keep_compiled(Kept(folder))
    _share_variables()
    _read_files_once()
    lookup_loader.get("ansible.builtin.template", class_only=True).run.__globals__["deepcopy"] = copy.copy


class Kept:
    """What was compiled so far."""

    def __init__(self, folder: Path) -> None:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._disk = FileSystemBytecodeCache(str(folder))
        self._here: dict[str, CodeType] = {}

    def code(self, environment: Any, kind: str, source: str, make: Callable[[], CodeType]) -> CodeType:
        """The code of a template or expression; ``make`` compiles one that is not known."""
        name = "\n".join([VERSIONS, kind, *map(repr, _settings(environment)), source])
        if (found := self._here.get(name)) is not None:
            return found
        bucket = self._bucket(environment, name, source)
        if bucket.code is None:
            bucket.code = make()
            # A disk that is full, or not ours to write to, costs time and nothing else.
            with suppress(OSError):
                self._disk.set_bucket(bucket)
        self._here[name] = bucket.code
        return bucket.code

    def _bucket(self, environment: Any, name: str, source: str) -> Bucket:
        """What the folder has of it; a file that a crash left half written has nothing, nor has a folder that is none."""
        try:
            return self._disk.get_bucket(environment, name, None, source)
        except (OSError, EOFError, ValueError, TypeError, UnpicklingError):
            return Bucket(environment, self._disk.get_cache_key(name), self._disk.get_source_checksum(source))


def _settings(environment: Any) -> list[Any]:
    """All that decides, beside the text, what a template compiles to."""
    context = _TemplateCompileContext.current(optional=True)
    return [
        bool(context and context.escape_backslashes),
        *(getattr(environment, name) for name in _TEMPLATE_OVERRIDE_FIELD_NAMES),
    ]


def _keep_compiled(kept: Kept) -> None:
    plain: Callable[..., CodeType] = AnsibleEnvironment.compile
    expression: Callable[..., TemplateExpression] = AnsibleEnvironment.compile_expression
    last = threading.local()

    def compile_(
        self: Any, source: Any, name: Any = None, filename: Any = None, raw: bool = False, defer_init: bool = False
    ) -> Any:  # fmt: skip
        if isinstance(source, str) and not (name or filename or raw or defer_init):
            return kept.code(self, "template", source, lambda: plain(self, source))
        last.code = plain(self, source, name, filename, raw, defer_init)
        return last.code

    def compile_expression(self: Any, source: str, undefined_to_none: bool = True) -> TemplateExpression:
        made: list[TemplateExpression] = []

        def make() -> CodeType:
            # Jinja hands the tree of an expression to `compile`, as it stands above.
            made.append(expression(self, source, undefined_to_none))
            code: CodeType = last.code
            return code

        code = kept.code(self, "expression", source, make)
        if made:
            return made[0]
        template = self.template_class.from_code(self, code, self.make_globals(None), None)
        return TemplateExpression(template, undefined_to_none)

    AnsibleEnvironment.compile = compile_
    AnsibleEnvironment.compile_expression = compile_expression


def _share_variables() -> None:
    plain: Callable[[Any], Iterator[Mapping[str, Any]]] = _jinja_bits._flatten_and_lazify_vars

    def listed(variables: Any) -> Iterator[Mapping[str, Any]]:
        context = TemplateContext.current()
        templar = context.templar
        if variables is not templar._variables or type(variables) is not dict or not variables:
            yield from plain(variables)
            return
        # The outermost value that is being worked out: when it is there, so is what was shared.
        while context._parent_ctx:
            context = context._parent_ctx
        shared = vars(context).setdefault("_railbed_shared", {})
        key = id(variables), id(templar)
        if key not in shared:
            # Both are kept too, that no other object gets their number meanwhile.
            shared[key] = _AnsibleLazyTemplateMixin._try_create(variables), variables, templar
        yield shared[key][0]

    _jinja_bits._flatten_and_lazify_vars = listed


def _read_files_once() -> None:
    plain = vars_plugins.get_vars_from_path

    @cache
    def found(loader: Any, path: str, entities: tuple[Any, ...], stage: str) -> Any:
        return plain(loader, path, list(entities), stage)

    def from_path(loader: Any, path: str, entities: list[Any], stage: str) -> Any:
        return found(loader, path, tuple(entities), stage)

    manager.get_vars_from_path = vars_plugins.get_vars_from_path = from_path
