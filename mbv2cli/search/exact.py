"""Arithmetic on figures of many members at once. Whole numbers and fractions are exact."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

_INT64: Final = 2**63

MAX_BITS: Final = 1_000
"""Size of the largest whole number: it still is a float, and arithmetic on it is fast."""


@dataclass(frozen=True, eq=False, slots=True)
class Whole:
    """A whole number for each member, or one for all. None is further from 0 than ``bound``.

    The numbers are int64 if the bound proves that nothing wraps, else ints of any size. Raises
    `OverflowError` beyond `MAX_BITS`.
    """

    numbers: Any
    bound: int

    def __add__(self, other: Whole) -> Whole:
        return _result(operator.add, self, other, self.bound + other.bound)

    def __mul__(self, other: Whole) -> Whole:
        return _result(operator.mul, self, other, self.bound * other.bound)

    def __mod__(self, other: Whole) -> Whole:
        """Return remainders with the sign of ``other``; where that is 0, they are arbitrary."""
        return _result(operator.mod, self, other.or_one(), other.bound)

    def __pow__(self, exponent: int) -> Whole:
        if self.bound.bit_length() * exponent > 2 * MAX_BITS:
            raise OverflowError("a power is too large")
        constant = Whole(exponent, exponent)
        return _result(operator.pow, self, constant, self.bound**exponent)

    def or_one(self) -> Whole:
        """Return 1 in place of 0."""
        return Whole(self.numbers + (self.numbers == 0), max(self.bound, 1))

    def sign(self) -> Whole:
        """Return 1, 0 or -1."""
        return Whole((self.numbers > 0) * 1 - (self.numbers < 0) * 1, 1)


def _result(rule: Callable[[Any, Any], Any], one: Whole, other: Whole, bound: int) -> Whole:
    """Return the result of a rule. It is not further from 0 than ``bound``."""
    if bound.bit_length() > MAX_BITS:
        raise OverflowError("a number is too large")
    if max(bound, one.bound, other.bound) < _INT64:
        return Whole(rule(one.numbers, other.numbers), bound)
    numbers = (np.asarray(whole.numbers, object) for whole in (one, other))
    return Whole(rule(*numbers), bound)


_ONE: Final = Whole(1, 1)


@dataclass(frozen=True, eq=False, slots=True)
class Exact:
    """A fraction for each member, or one for all. Where the denominator is 0, there is none."""

    numerator: Whole
    denominator: Whole = _ONE

    @classmethod
    def of(cls, values: NDArray[Any]) -> Exact:
        """Return an array of whole numbers."""
        bound = max(-int(values.min()), int(values.max())) if len(values) else 0
        return cls(Whole(values, bound))

    @classmethod
    def constant(cls, number: Fraction) -> Exact:
        """Return one number for all members."""
        numerator, denominator = number.as_integer_ratio()
        below = _ONE if denominator == 1 else Whole(denominator, denominator)
        return cls(Whole(numerator, abs(numerator)), below)

    @property
    def exponent(self) -> int | None:
        """The number, if it is a whole number that is the same for all members."""
        numbers = self.numerator.numbers
        return numbers if isinstance(numbers, int) and self.denominator is _ONE else None

    @property
    def floats(self) -> Any:
        """The nearest floats, or NaN."""
        numerator, denominator = self.numerator.numbers, self.denominator.numbers
        if isinstance(numerator, int) and isinstance(denominator, int):
            return np.float64(numerator / denominator)
        above, below = (np.asarray(part).astype(float) for part in (numerator, denominator))
        return np.where(below == 0, np.nan, above / below)


Amounts: TypeAlias = "Exact | NDArray[np.float64]"
"""Exact numbers or, of figures that are no whole numbers and of roots, floats."""


def amounts_of(values: NDArray[Any]) -> Amounts:
    """Return the values of a figure."""
    return Exact.of(values) if values.dtype.kind == "i" else values.astype(float)


def negative(amounts: Amounts) -> Amounts:
    """Return the numbers with the opposite sign."""
    return times(Exact.constant(Fraction(-1)), amounts)


def plus(one: Amounts, other: Amounts) -> Amounts:
    """Return the sums."""
    if not (isinstance(one, Exact) and isinstance(other, Exact)):
        return _floats(np.add, one, other)
    if one.denominator is _ONE and other.denominator is _ONE:
        return Exact(one.numerator + other.numerator)
    return Exact(
        one.numerator * other.denominator + other.numerator * one.denominator,
        one.denominator * other.denominator,
    )


def minus(one: Amounts, other: Amounts) -> Amounts:
    """Return the differences."""
    return plus(one, negative(other))


def times(one: Amounts, other: Amounts) -> Amounts:
    """Return the products."""
    if not (isinstance(one, Exact) and isinstance(other, Exact)):
        return _floats(np.multiply, one, other)
    if one.denominator is _ONE and other.denominator is _ONE:
        return Exact(one.numerator * other.numerator)
    return Exact(one.numerator * other.numerator, one.denominator * other.denominator)


def over(one: Amounts, other: Amounts) -> Amounts:
    """Return the quotients. There is none by 0. Raises `ZeroDivisionError` if all are by 0."""
    _refuse_zero(other)
    if not (isinstance(one, Exact) and isinstance(other, Exact)):
        return _floats(lambda a, b: np.where(b == 0, np.nan, np.divide(a, b)), one, other)
    sign = other.numerator.sign()
    return Exact(one.numerator * other.denominator * sign, one.denominator * other.numerator * sign)


def modulo(one: Amounts, other: Amounts) -> Amounts:
    """Return the remainders, with the sign of the divisor, as in Python."""
    _refuse_zero(other)
    if not (isinstance(one, Exact) and isinstance(other, Exact)):
        return _floats(np.mod, one, other)
    divisor = other.numerator * one.denominator
    not_0 = divisor.sign() * divisor.sign()
    return Exact(
        (one.numerator * other.denominator) % divisor,
        one.denominator * other.denominator * not_0,
    )


def power(one: Amounts, other: Amounts) -> Amounts:
    """Return the powers: exact ones if the exponent is a whole number, the same for all."""
    exponent = other.exponent if isinstance(other, Exact) else None
    if exponent is None or not isinstance(one, Exact):
        return _floats(np.power, one, other)
    denominator = _ONE if one.denominator is _ONE else one.denominator ** abs(exponent)
    found = Exact(one.numerator ** abs(exponent), denominator)
    return over(Exact.constant(Fraction(1)), found) if exponent < 0 else found


COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def compared(one: Amounts, sign: str, other: Amounts) -> Any:
    """Return where a comparison holds. It does not hold where one of the numbers is not there."""
    compare = COMPARISONS[sign]
    if not (isinstance(one, Exact) and isinstance(other, Exact)):
        left, right = _as_floats(one), _as_floats(other)
        return compare(left, right) & ~(np.isnan(left) | np.isnan(right))
    if one.denominator is _ONE and other.denominator is _ONE:
        return compare(one.numerator.numbers, other.numerator.numbers)
    left_part = one.numerator * other.denominator
    right_part = other.numerator * one.denominator
    are_there = (one.denominator.numbers != 0) & (other.denominator.numbers != 0)
    return compare(left_part.numbers, right_part.numbers) & are_there


ARITHMETIC: Final[Mapping[str, Callable[[Amounts, Amounts], Amounts]]] = {
    "+": plus,
    "-": minus,
    "*": times,
    "/": over,
    "%": modulo,
    "**": power,
}


def _refuse_zero(divisor: Amounts) -> None:
    if isinstance(divisor, Exact) and divisor.exponent == 0:
        raise ZeroDivisionError("division by zero")


def _floats(rule: Callable[[Any, Any], Any], one: Amounts, other: Amounts) -> NDArray[np.float64]:
    found: NDArray[np.float64] = rule(_as_floats(one), _as_floats(other))
    return found


def _as_floats(amounts: Amounts) -> Any:
    return amounts.floats if isinstance(amounts, Exact) else amounts
