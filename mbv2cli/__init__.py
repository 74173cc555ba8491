"""Inspect MobileNetV2 and its inverted residual blocks: shapes, parameters, MACs, memory."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbv2cli.errors import UserError as UserError
    from mbv2cli.nn.modules import ConvBNAct as ConvBNAct
    from mbv2cli.nn.modules import InvertedResidual as InvertedResidual
    from mbv2cli.nn.modules import MobileNetV2 as MobileNetV2
    from mbv2cli.plan import Plan as Plan
    from mbv2cli.plan import plan_of as plan_of
    from mbv2cli.report.check.assertion import check as check
    from mbv2cli.spec import BlockSpec as BlockSpec
    from mbv2cli.spec import InputSpec as InputSpec
    from mbv2cli.spec import NetworkSpec as NetworkSpec
    from mbv2cli.spec import Stage as Stage

__version__ = "0.1.0"

_ROOM_OF = {
    "BlockSpec": "mbv2cli.spec",
    "ConvBNAct": "mbv2cli.nn.modules",
    "InputSpec": "mbv2cli.spec",
    "InvertedResidual": "mbv2cli.nn.modules",
    "MobileNetV2": "mbv2cli.nn.modules",
    "NetworkSpec": "mbv2cli.spec",
    "Plan": "mbv2cli.plan",
    "Stage": "mbv2cli.spec",
    "UserError": "mbv2cli.errors",
    "check": "mbv2cli.report.check.assertion",
    "plan_of": "mbv2cli.plan",
}

__all__ = list(_ROOM_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import mbv2cli`` alone stays light."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
