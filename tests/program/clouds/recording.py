"""Runs a platform's program under Pulumi's mocks and keeps what it declared, options included. Nothing is asked of a cloud."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True)
class Declared:
    """One resource as the engine would get it."""

    typ: str
    """Pulumi type token, e.g. ``aws:ec2/launchTemplate:LaunchTemplate``."""
    name: str
    inputs: dict[str, Any]
    """In the provider's own spelling (camelCase), secrets unwrapped."""
    options: pulumi.ResourceOptions

    @property
    def protected(self) -> bool:
        """Neither deleted by accident nor by destroy."""
        return bool(self.options.protect) and bool(self.options.retain_on_delete)


@dataclass
class Run:
    """What one run came to."""

    declared: list[Declared]
    """By type and name: the order in which resources are registered is that of threads, another one in each run."""
    calls: list[tuple[str, dict[str, Any]]]
    contract: dict[str, Any]

    def of(self, typ: str) -> list[Declared]:
        """Resources whose type token ends with ``typ``, e.g. ``:LaunchTemplate``."""
        return [one for one in self.declared if one.typ.endswith(typ)]


Answers = Callable[[str, str, dict[str, Any]], dict[str, Any]]
"""Type token, name, inputs → outputs beyond the inputs, as that provider would give them."""
Calls = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Function token, arguments → its result."""


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers every resource with its inputs and ``answers``."""

    answers: Answers
    calls: Calls
    declared: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        inputs = dict(args.inputs)
        self.declared.append((args.typ, args.name, inputs))
        return f"{args.name}-id", {**inputs, **self.answers(args.typ, args.name, inputs)}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        self.called.append((args.token, dict(args.args)))
        return self.calls(args.token, dict(args.args))


def run(
    build: Callable[[], pulumi.Output[Any]], answers: Answers, calls: Calls, *, preview: bool = False
) -> Run:
    """Runs ``build`` (``platforms.build`` of a plan) to its contract; ``preview``: as for one, with every output known."""
    recorder, options, value = Recorder(answers, calls), {}, []
    # An earlier test in this process may have closed the thread's loop (asyncio.run does).
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="railbed", stack="test", preview=preview)

    def keep(args: pulumi.ResourceTransformationArgs) -> None:
        options[(args.type_, args.name)] = args.opts

    @pulumi.runtime.test
    def checked() -> Any:
        # Mocks see no options; the transformation does, of every resource below the stack.
        pulumi.runtime.register_stack_transformation(keep)
        return build().apply(value.append)

    checked()
    declared = [
        Declared(typ, name, inputs, options.get((typ, name), pulumi.ResourceOptions()))
        for typ, name, inputs in sorted(recorder.declared, key=lambda one: one[:2])
    ]
    return Run(declared, recorder.called, value[0])
