"""A condition as users write it: ``macs < 60M and peak <= 320KiB and params < 2e6``.

Python's parser reads it. Only nodes of an allow-list become parts of a condition, which are
evaluated with numpy. Nothing is ever run as Python.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pydantic_core import PydanticCustomError

from mbv2cli.errors import UserError
from mbv2cli.search.figures import figure_named
from mbv2cli.specs.units import UNITS, Unit, read_bytes, read_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mbv2cli.search.exact import Amounts

MAX_LENGTH: Final = 1_000
MAX_DEPTH: Final = 100
"""Most levels of parentheses and operators."""

_AMOUNT: Final = re.compile(
    rf"(?<![\w.])\d[\d_]*(?:\.\d+)? ?(?:{'|'.join(UNITS)})\b", re.IGNORECASE
)
"""A number with a unit. Python's parser knows none, so it gets the amount as a text."""

_QUOTED_AMOUNT: Final = re.compile(f"'({_AMOUNT.pattern})'", re.IGNORECASE)

_WORD: Final = re.compile(r"[\w.]+|\S")

_IN: Final = "figure_in"
"""The figure ``in`` for Python's parser, where this word is an operator."""

_MOST_DIGITS: Final = 100
"""Most digits of a number before the point, and most zeros after it."""

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


class _Figure(NamedTuple):
    """A figure of each member."""

    name: str


class _Number(NamedTuple):
    """A number."""

    value: Fraction


class _Negative(NamedTuple):
    """An amount with the opposite sign."""

    amount: _Amount


class _Arithmetic(NamedTuple):
    """Two amounts and the operator between them."""

    left: _Amount
    sign: str
    right: _Amount


class _Comparison(NamedTuple):
    """Two amounts that are compared."""

    left: _Amount
    sign: str
    right: _Amount


class _All(NamedTuple):
    """Conditions that have to hold together."""

    parts: tuple[_Condition, ...]


class _Any(NamedTuple):
    """Conditions of which one has to hold."""

    parts: tuple[_Condition, ...]


class _Not(NamedTuple):
    """A condition that must not hold."""

    part: _Condition


_Amount: TypeAlias = _Figure | _Number | _Negative | _Arithmetic
_Condition: TypeAlias = _Comparison | _All | _Any | _Not


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on figures: as it was written, its parts, and the figures in it."""

    text: str
    condition: _Condition
    names: tuple[str, ...]

    def holds(self, values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return a mask of the members that fulfil it.

        Whole numbers and their fractions are compared exactly. Roots, and figures that are no
        whole numbers, are floats. A comparison with a division by 0 does not hold.
        """
        import numpy as np

        with np.errstate(all="ignore"):
            mask: NDArray[Any] = _holds(self.condition, values)
        return mask


def _holds(condition: _Condition, values: Mapping[str, NDArray[Any]]) -> Any:
    import numpy as np

    from mbv2cli.search.exact import compared

    match condition:
        case _Comparison(left, sign, right):
            return compared(_evaluated(left, values), sign, _evaluated(right, values))
        case _All(parts):
            return reduce(np.logical_and, (_holds(part, values) for part in parts))
        case _Any(parts):
            return reduce(np.logical_or, (_holds(part, values) for part in parts))
        case _Not(part):
            return np.logical_not(_holds(part, values))


def _evaluated(amount: _Amount, values: Mapping[str, NDArray[Any]]) -> Amounts:
    from mbv2cli.search import exact

    match amount:
        case _Figure(name):
            return exact.amounts_of(values[name])
        case _Number(value):
            return exact.Exact.constant(value)
        case _Negative(of):
            return exact.negative(_evaluated(of, values))
        case _Arithmetic(left, sign, right):
            return exact.ARITHMETIC[sign](_evaluated(left, values), _evaluated(right, values))


def read_where(text: str) -> Where:
    """Read a condition. Raises `UserError` if it is not one, before anything is evaluated."""
    try:
        if len(text) > MAX_LENGTH:
            raise _NotAllowedError(f"it is longer than {MAX_LENGTH:,} characters")
        source = _AMOUNT.sub(r"'\g<0>'", _with_figure_in(text.strip()))
        tree = ast.parse(source, mode="eval")
        _refuse_deep(tree)
        condition = _condition(tree.body, source)
        where = Where(text, condition, tuple(sorted(set(_names(tree)))))
        _try(where)
    except _NotAllowedError as problem:
        raise UserError(f"--where cannot be used: {problem}; {_EXAMPLE}") from None
    except PydanticCustomError as problem:  # an amount that may mean two numbers
        raise UserError(f"--where: an amount {problem}") from None
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        shown = " ".join(text.split())[:60]
        raise UserError(f"--where '{shown}' is not an expression; {_EXAMPLE}") from None
    return where


_EXAMPLE: Final = (
    "write comparisons of figures, such as 'macs < 60M and peak <= 320KiB and flash < 2*params'"
)


class _NotAllowedError(Exception):
    """A condition has something that is not allowed in it."""


def _with_figure_in(text: str) -> str:
    """Return the text with another name for the figure ``in``, which is an operator in Python.

    It is the operator after an amount, and the figure elsewhere: ``in in (8, 16)``.
    """
    pieces: list[str] = []
    end, after_amount, before_not = 0, False, False
    for found in _WORD.finditer(text):
        word = found[0]
        if word == _IN:
            raise _NotAllowedError(f"there is no figure '{_IN}'")
        is_operator = after_amount or before_not
        if word == "in" and not is_operator:
            pieces += [text[end : found.start()], _IN]
            end = found.end()
        before_not = word == "not" and after_amount
        is_name = word[-1].isalnum() or word[-1] in "._"
        after_amount = (
            not is_operator
            if word == "in"
            else (is_name and word not in ("and", "or", "not")) or word in ")]'\""
        )
    return "".join([*pieces, text[end:]])


def _refuse_deep(tree: ast.AST) -> None:
    """Raise `_NotAllowedError` if a condition is nested deep: its parts call each other."""
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise _NotAllowedError(f"it has more than {MAX_DEPTH} levels of parentheses and operators")


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names of figures in an expression."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield "in" if part.id == _IN else part.id


def _condition(node: ast.expr, source: str) -> _Condition:
    match node:
        case ast.BoolOp():
            parts = tuple(_condition(value, source) for value in node.values)
            return _All(parts) if isinstance(node.op, ast.And) else _Any(parts)
        case ast.UnaryOp(op=ast.Not()):
            return _Not(_condition(node.operand, source))
        case ast.Compare():
            operands = itertools.pairwise((node.left, *node.comparators))
            pairs = zip(operands, node.ops, strict=True)
            return _All(tuple(_compared(a, op, b, source) for (a, b), op in pairs))
        case _:
            raise _NotAllowedError(f"{_quoted(node)} is not a comparison")


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, source: str) -> _Condition:
    names = [*_names(left), *_names(right)]
    if not names:
        raise _NotAllowedError(f"there is no figure in {_quoted(left)} or {_quoted(right)}")
    is_bytes = any(figure_named(name).unit is Unit.BYTES for name in names)
    read = _Reader(source, read_bytes if is_bytes else read_count)
    match op, right:
        case ast.In(), ast.Tuple() | ast.List():
            return _one_of(left, right.elts, read)
        case ast.NotIn(), ast.Tuple() | ast.List():
            return _Not(_one_of(left, right.elts, read))
        case _:
            return _Comparison(_amount(left, read), _sign(op, _COMPARISONS), _amount(right, read))


def _one_of(left: ast.expr, several: Sequence[ast.expr], read: _Reader) -> _Condition:
    """Return whether an amount equals one of several."""
    if not several:
        raise _NotAllowedError("a list in it is empty")
    amount = _amount(left, read)
    return _Any(tuple(_Comparison(amount, "==", _amount(one, read)) for one in several))


class _Reader(NamedTuple):
    """Reads the numbers of a comparison: those of ``source``, and ``with_unit`` the others."""

    source: str
    with_unit: Callable[[object], object]

    def number(self, node: ast.Constant) -> _Number:
        """Return a number as it is written: 0.1 is a tenth, not the float nearest to it."""
        text = ast.get_source_segment(self.source, node) or ""
        number = Decimal(node.value if isinstance(node.value, int) else text)
        if number and number.adjusted() > _MOST_DIGITS:
            raise _NotAllowedError("a number in it is too large")
        if number and number.adjusted() < -_MOST_DIGITS:
            raise _NotAllowedError("a number in it is too small")
        return _Number(Fraction(number))

    def amount(self, text: str) -> _Number:
        """Return a number with a unit."""
        try:
            return _Number(Fraction(str(self.with_unit(text))))
        except PydanticCustomError:
            raise
        except ValueError:
            raise _NotAllowedError(
                f"'{text}' is not an amount of the figure that it is compared with"
            ) from None


def _amount(node: ast.expr, read: _Reader) -> _Amount:
    match node:
        case ast.Name():
            return _Figure(*_names(node))
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return read.number(node)
        case ast.Constant(value=str() as text) if _AMOUNT.fullmatch(text):
            return read.amount(text)
        case ast.UnaryOp():
            amount = _amount(node.operand, read)
            return _Negative(amount) if _sign(node.op, _AMOUNTS) == "-" else amount
        case ast.BinOp():
            left, right = _amount(node.left, read), _amount(node.right, read)
            return _Arithmetic(left, _sign(node.op, _AMOUNTS), right)
        case ast.Constant(value=str()):
            raise _NotAllowedError(
                f"{_quoted(node)} is text, and --where compares numbers: figures such as macs, "
                "fields such as width_mult, and arithmetic on them"
            )
        case _:
            raise _NotAllowedError(
                f"{_quoted(node)} is not a figure, a number or arithmetic on them"
            )


def _sign(op: ast.AST, signs: Mapping[type[ast.AST], str]) -> str:
    if type(op) not in signs:
        raise _NotAllowedError(
            f"only the operators {' '.join(dict.fromkeys(signs.values()))} are allowed there"
        )
    return signs[type(op)]


def _quoted(node: ast.expr) -> str:
    """Return an expression as the user wrote it, in quotes of one kind."""
    text = _QUOTED_AMOUNT.sub(r"\1", ast.unparse(node).replace(_IN, "in"))[:60]
    if isinstance(node, ast.Constant) and text.startswith(("'", '"')):
        return text
    return f'"{text}"' if "'" in text else f"'{text}'"


def _try(where: Where) -> None:
    """Evaluate the condition once for the largest figures that a search has.

    No number is larger in the search, so that one which is too large is refused before it.
    """
    import numpy as np

    from mbv2cli.search.tables import LARGEST

    try:
        where.holds({name: np.array([LARGEST]) for name in where.names})
    except ArithmeticError as error:
        raise _NotAllowedError(f"a number in it cannot be computed ({error})") from None
