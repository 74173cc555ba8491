"""Inspect MobileNetV2 and its inverted residual blocks: shapes, parameters, MACs, memory."""

TYPE_CHECKING = False  # the name that type checkers know; an import of typing takes long
if TYPE_CHECKING:
    from mbv2cli.errors import UserError as UserError
    from mbv2cli.inspection import Plan as Plan
    from mbv2cli.inspection import plan_of as plan_of
    from mbv2cli.nn.modules import ConvBNAct as ConvBNAct
    from mbv2cli.nn.modules import InvertedResidual as InvertedResidual
    from mbv2cli.nn.modules import MobileNetV2 as MobileNetV2
    from mbv2cli.specs import BlockSpec as BlockSpec
    from mbv2cli.specs import InputSpec as InputSpec
    from mbv2cli.specs import NetworkSpec as NetworkSpec
    from mbv2cli.specs import Stage as Stage
    from mbv2cli.testing import check as check
    from mbv2cli.version import __version__ as __version__

_ROOM_OF = {
    "BlockSpec": "mbv2cli.specs",
    "ConvBNAct": "mbv2cli.nn.modules",
    "InputSpec": "mbv2cli.specs",
    "InvertedResidual": "mbv2cli.nn.modules",
    "MobileNetV2": "mbv2cli.nn.modules",
    "NetworkSpec": "mbv2cli.specs",
    "Plan": "mbv2cli.inspection",
    "Stage": "mbv2cli.specs",
    "UserError": "mbv2cli.errors",
    "__version__": "mbv2cli.version",
    "check": "mbv2cli.testing",
    "plan_of": "mbv2cli.inspection",
}

__all__ = [name for name in _ROOM_OF if name != "__version__"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: ``import mbv2cli`` alone stays light."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
