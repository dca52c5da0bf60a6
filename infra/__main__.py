"""The Pulumi program: spec → plan → platform → contract. Run by `railbed up` and by a plain `pulumi up` alike."""

import pulumi

from railbed import plan, platforms, spec
from railbed.effects.workspace import Workspace, find_root
from railbed.errors import RailbedError


def program() -> None:
    """Declares the stack's resources and exports its contract."""
    stack = pulumi.get_stack()
    data = pulumi.Config("railbed").require_object("cluster")
    try:
        planned = plan.plan(spec.from_config(data, f"Pulumi.{stack}.yaml"))
        pulumi.log.info(f"price: {planned.price.as_text() if planned.price else 'unknown'}")
        for warning in planned.warnings:
            pulumi.log.warn(f"{warning.code}: {warning.message}")
        work = Workspace(find_root(), stack)
        pulumi.export("contract", platforms.build(planned, work))
        if planned.platform != platforms.LOCAL:
            pulumi.export("secrets", platforms.shared(work))
    except RailbedError as error:
        raise pulumi.RunError(error.as_text()) from None


program()
