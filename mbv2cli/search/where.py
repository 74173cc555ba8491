"""A condition as users write it: ``macs < 60M and peak <= 320KiB and params < 2e6``.

Python's parser reads it. Only nodes of an allow-list are translated for numexpr, which evaluates
them. Nothing is ever run as Python.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticCustomError

from mbv2cli.errors import UserError
from mbv2cli.search.figures import figure_named
from mbv2cli.specs.units import UNITS, Unit, read_bytes, read_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LENGTH: Final = 1_000
_AMOUNT: Final = re.compile(
    rf"(?<![\w.])\d[\d_]*(?:\.\d+)? ?(?:{'|'.join(UNITS)})\b", re.IGNORECASE
)
"""A number with a unit. Python's parser knows none, so it gets the amount as a text."""

_FIGURE: Final = "figure_"
"""Prefix of figures' names in numexpr, which has functions with names of its own."""

_LARGEST_NUMBER: Final = 1e100

_AMOUNTS: Final[Mapping[type[ast.AST], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.UAdd: "+",
    ast.USub: "-",
}
_COMPARISONS: Final[Mapping[type[ast.AST], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_TOGETHER: Final[Mapping[type[ast.AST], str]] = {ast.And: "&", ast.Or: "|"}


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on figures: as it was written, as numexpr reads it, and the figures in it."""

    text: str
    expression: str
    names: tuple[str, ...]

    def holds(self, values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return a mask of the members that fulfil it. Figures are compared as floats."""
        import numexpr

        figures = {f"{_FIGURE}{name}": values[name].astype(float) for name in self.names}
        mask: NDArray[Any] = numexpr.evaluate(self.expression, figures, {})
        return mask


def read_where(text: str) -> Where:
    """Read a condition. Raises `UserError` if it is not one, before anything is evaluated."""
    import numexpr

    numexpr.set_num_threads(1)  # chunks are small, and --jobs has a process for each core
    try:
        if len(text) > MAX_LENGTH:
            raise _NotAllowedError(f"it is longer than {MAX_LENGTH:,} characters")
        tree = ast.parse(_AMOUNT.sub(r"'\g<0>'", text.strip()), mode="eval")
        expression = _condition(tree.body)
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        where = Where(text, expression, tuple(names))
        _try(where)
    except _NotAllowedError as problem:
        raise UserError(f"--where cannot be used: {problem}; {_EXAMPLE}") from None
    except PydanticCustomError as problem:  # an amount that may mean two numbers
        raise UserError(f"--where: an amount {problem}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        shown = " ".join(text.split())[:60]
        raise UserError(f"--where '{shown}' is not an expression; {_EXAMPLE}") from None
    return where


_EXAMPLE: Final = (
    "write comparisons of figures, such as 'macs < 60M and peak <= 320KiB and flash < 2*params'"
)


class _NotAllowedError(Exception):
    """A condition has something that is not allowed in it."""


def _condition(node: ast.expr) -> str:
    match node:
        case ast.BoolOp():
            between = f" {_TOGETHER[type(node.op)]} "
            return f"({between.join(map(_condition, node.values))})"
        case ast.UnaryOp(op=ast.Not()):
            return f"(~{_condition(node.operand)})"
        case ast.Compare():
            operands = itertools.pairwise((node.left, *node.comparators))
            pairs = (_compared(a, op, b) for (a, b), op in zip(operands, node.ops, strict=True))
            return f"({' & '.join(pairs)})"
        case _:
            raise _NotAllowedError(f"'{_shown(node)}' is not a comparison")


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
    nodes = [node for side in (left, right) for node in ast.walk(side)]
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    if not names:
        raise _NotAllowedError(f"there is no figure in '{_shown(left)}' or '{_shown(right)}'")
    is_bytes = any(figure_named(name).unit is Unit.BYTES for name in names)
    read = read_bytes if is_bytes else read_count
    return f"({_amount(left, read)} {_sign(op, _COMPARISONS)} {_amount(right, read)})"


def _amount(node: ast.expr, read: Callable[[object], object]) -> str:
    """Return an amount as numexpr reads it. ``read`` reads a number with a unit."""
    match node:
        case ast.Name():
            return f"{_FIGURE}{node.id}"
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _constant(number)
        case ast.Constant(value=str() as text) if _AMOUNT.fullmatch(text):
            return _constant(_with_unit(text, read))
        case ast.UnaryOp():
            return f"({_sign(node.op, _AMOUNTS)}{_amount(node.operand, read)})"
        case ast.BinOp():
            left, right = _amount(node.left, read), _amount(node.right, read)
            return f"({left} {_sign(node.op, _AMOUNTS)} {right})"
        case _:
            raise _NotAllowedError(
                f"'{_shown(node)}' is not a figure, a number or arithmetic on them"
            )


def _with_unit(text: str, read: Callable[[object], object]) -> float:
    try:
        return float(str(read(text)))
    except PydanticCustomError:
        raise
    except ValueError:
        raise _NotAllowedError(f"'{text}' does not suit the figure it is compared with") from None


def _constant(value: float) -> str:
    """Return a number as a float: powers of large ints would take numexpr for ever."""
    if abs(value) > _LARGEST_NUMBER:
        raise _NotAllowedError("a number in it is too large")
    return repr(float(value))


def _sign(op: ast.AST, signs: Mapping[type[ast.AST], str]) -> str:
    if type(op) not in signs:
        raise _NotAllowedError(
            f"only the operators {' '.join(dict.fromkeys(signs.values()))} are allowed there"
        )
    return signs[type(op)]


def _shown(node: ast.expr) -> str:
    return ast.unparse(node)[:60]


def _try(where: Where) -> None:
    """Evaluate the condition once, so that an error of numexpr is reported before the search."""
    import numpy as np

    try:
        where.holds({name: np.ones(1) for name in where.names})
    except ArithmeticError as error:
        raise _NotAllowedError(f"a constant in it cannot be computed ({error})") from None
    except Exception as error:  # noqa: BLE001  (numexpr raises exceptions of any type)
        raise _NotAllowedError(str(error)) from None
