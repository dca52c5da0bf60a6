"""The pack itself: rules as the policy engine calls them, and their settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from railbed_policy import rules, stack_rules
from railbed_policy.values import plain

NAME = "railbed"
CHECKOUT = Path(__file__).parents[2]
NAMES: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
BASTIONS = ["*bastion*"]


def pack() -> PolicyPack:
    """Serves the policies to the engine that started this process."""
    return PolicyPack(name=NAME, enforcement_level=EnforcementLevel.MANDATORY, policies=policies())


def policies() -> list[Policy]:
    """Every policy; all are mandatory."""
    return [
        _resource("public-ssh", rules.public_ssh, lambda args: rules.public_ssh(args.resource_type, plain(args.props))),
        _resource(
            "public-address", rules.public_address,
            lambda args: rules.public_address(args.resource_type, plain(args.props), args.name, _names(args, BASTIONS)),
            allowed=BASTIONS,
        ),
        _resource(
            "unprotected-filesystem", rules.unprotected,
            lambda args: rules.unprotected(args.resource_type, args.name, bool(args.opts.protect), _names(args, [])),
            allowed=[],
        ),
        _resource("missing-tags", rules.missing_tags, lambda args: rules.missing_tags(args.resource_type, plain(args.props))),
        _stack("unplaced-rdma-pool", stack_rules.unplaced, lambda args: stack_rules.unplaced(_declared(args))),
        _stack(
            "data-losing-change", stack_rules.losing,
            lambda args: stack_rules.losing(known(_contract(args), _names(args, [])), _declared(args)),
            allowed=[], contract="",
        ),
    ]  # fmt: skip


def known(contract: Path, allowed: list[str]) -> stack_rules.Known:
    """Pools and filesystems of the last contract, without those that may go; none before the first `up`."""
    if not contract.is_file():
        return stack_rules.Known((), ())
    data = json.loads(contract.read_text())
    pools = {node["pool"]: None for node in data["nodes"] if node["role"] in ("compute", "spare")}
    # One that is served from the nodes goes with them; one that was there before railbed is never declared.
    filesystems = [one["name"] for one in data["filesystems"] if not one["data_servers"]]
    return stack_rules.Known(
        pools=tuple(name for name in pools if name not in allowed),
        filesystems=tuple(name for name in filesystems if name not in allowed),
    )


def _contract(args: StackValidationArgs) -> Path:
    return Path(
        args.get_config().get("contract") or CHECKOUT / ".railbed" / pulumi.get_stack() / "contract.json"
    )


def _names(args: ResourceValidationArgs | StackValidationArgs, default: list[str]) -> list[str]:
    found = args.get_config().get("allowed")
    return default if found is None else list(found)


def _declared(args: StackValidationArgs) -> list[stack_rules.Declared]:
    return [
        stack_rules.Declared(
            token=one.resource_type,
            name=one.name,
            urn=one.urn,
            props=plain(one.props),
            depends_on=_dependencies(one),
            formerly=frozenset(alias.rsplit("::", 1)[-1] for alias in one.opts.aliases),
        )
        for one in args.resources
    ]


def _dependencies(one: PolicyResource) -> frozenset[str]:
    by_property = (other.urn for others in one.property_dependencies.values() for other in others)
    return frozenset([*(other.urn for other in one.dependencies), *by_property])


def _schema(settings: dict[str, Any]) -> PolicyConfigSchema | None:
    """Settings of a policy: ``allowed`` names, and a path where a string is the default."""
    kinds = {
        name: NAMES if isinstance(value, list) else {"type": "string"} for name, value in settings.items()
    }
    properties = {name: {**kinds[name], "default": value} for name, value in settings.items()}
    return PolicyConfigSchema(properties=properties) if settings else None


def _resource(
    name: str,
    rule: Callable[..., Any],
    found: Callable[[ResourceValidationArgs], Iterator[str]],
    **settings: Any,
) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for sentence in found(args):
            report(f"{args.name}: {sentence}", args.urn)

    return ResourceValidationPolicy(
        name=name, description=_first_line(rule), validate=validate, config_schema=_schema(settings)
    )


def _stack(
    name: str,
    rule: Callable[..., Any],
    found: Callable[[StackValidationArgs], Iterator[stack_rules.Finding]],
    **settings: Any,
) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for urn, sentence in found(args):
            report(f"{urn.rsplit('::', 1)[-1]}: {sentence}" if urn else sentence, urn or None)

    return StackValidationPolicy(
        name=name, description=_first_line(rule), validate=validate, config_schema=_schema(settings)
    )


def _first_line(rule: Callable[..., Any]) -> str:
    return (rule.__doc__ or "").strip().splitlines()[0].partition(" ``allowed``")[0]
