"""Says which package is missing, broken or too old. Imported only after an error."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Final, NamedTuple

_IMPORT: Final = re.compile(r"\s*(?:from|import)\s+(\w+)")
_REQUIREMENT: Final = re.compile(r"([\w-]+)([^;]*)(?:; extra == ['\"](\w+)['\"])?")
_BOUND: Final = re.compile(r"(>=|==|<)([\d.]+)")
_EXTRAS: Final = frozenset({None, "cluster", "parquet", "plot"})
"""The extras of users; the others are for work on mbv2 itself."""

_LONGEST: Final = 160
"""Characters of another package's message that are shown."""


class _Requirement(NamedTuple):
    """A package and the versions that mbv2 works with."""

    name: str
    versions: str

    @property
    def text(self) -> str:
        return f"'{self.name}{self.versions}'"


def unusable_package(error: BaseException) -> str | None:
    """Return what is wrong with the package whose import ended with ``error``, and what to try.

    Return None if ``error`` is not from an import of a package that mbv2 needs.
    """
    known = _requirements()
    if error.__cause__ and (sentence := unusable_package(error.__cause__)):
        return sentence
    name = next((one for one in _importing(error) if one in known), None)
    if name is None:
        return None
    requirement = known[name]
    if place := _other_place(name):
        return (
            f"{place} is imported in place of the package {requirement.name} "
            f"({_shortened(error)}); rename {place}, and install the package if it is missing: "
            f"pip install {requirement.text}"
        )
    if isinstance(error, ModuleNotFoundError) and _is_missing(name, error):
        return (
            f"{requirement.name} is not installed; install it with: pip install {requirement.text}"
        )
    return _outdated(requirement) or (
        f"{requirement.name} cannot be imported: {_shortened(error)}; "
        f"install it again with: pip install --force-reinstall {requirement.text}"
    )


def outdated_package() -> str | None:
    """Return the sentence about a loaded package that is too old or too new, if there is one."""
    loaded = (one for name, one in _requirements().items() if name in sys.modules)
    return next(filter(None, map(_outdated, loaded)), None)


def _importing(error: BaseException) -> Iterator[str]:
    """Yield the packages that were being imported at ``error``, the innermost first."""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        yield _root(error.obj.__name__)
    for frame in reversed(extract_tb(error.__traceback__)):
        if found := _IMPORT.match(frame.line or ""):
            yield found[1]
    if isinstance(error, ImportError) and error.name:
        yield _root(error.name)


def _is_missing(name: str, error: ModuleNotFoundError) -> bool:
    is_blocked = name in sys.modules and sys.modules[name] is None
    return is_blocked or error.name == name


def _root(module: str) -> str:
    return module.partition(".")[0]


def _requirements() -> Mapping[str, _Requirement]:
    """Return what mbv2 needs, by the name to import it by."""
    try:
        texts = requires("mbv2") or []
    except PackageNotFoundError:  # mbv2 runs from a copy that is not installed
        return _Anything()
    found = (found for text in texts if (found := _REQUIREMENT.fullmatch(text)))
    of_users = (_Requirement(one[1], one[2].strip()) for one in found if one[3] in _EXTRAS)
    return {one.name.replace("-", "_"): one for one in of_users}


class _Anything(dict[str, _Requirement]):
    """Has every package that is not ours and not Python's, in any version."""

    def __contains__(self, name: object) -> bool:
        return name not in sys.stdlib_module_names and name != "mbv2cli"

    def __missing__(self, name: str) -> _Requirement:
        return _Requirement(name, "")


def _other_place(name: str) -> str | None:
    """Return the file that is imported by the name of a package without being of the package."""
    found = PathFinder.find_spec(name)
    if found is None or found.origin is None:
        return None
    origin = Path(found.origin)
    try:
        installed = Path(str(distribution(name).locate_file("")))
    except PackageNotFoundError:
        return str(origin)
    return None if origin.resolve().is_relative_to(installed.resolve()) else str(origin)


def _outdated(requirement: _Requirement) -> str | None:
    try:
        version = distribution(requirement.name).version
    except PackageNotFoundError:
        return None
    bounds = _BOUND.findall(requirement.versions)
    if all(_keeps(_numbers(version), sign, _numbers(bound)) for sign, bound in bounds):
        return None
    return (
        f"{requirement.name} {version} is installed, and mbv2 needs {requirement.versions}; "
        f"install it with: pip install {requirement.text}"
    )


def _keeps(version: tuple[int, ...], sign: str, bound: tuple[int, ...]) -> bool:
    length = max(len(version), len(bound))
    ours, theirs = (one + (0,) * (length - len(one)) for one in (version, bound))
    return {">=": ours >= theirs, "==": ours == theirs, "<": ours < theirs}[sign]


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the start: ``2.4.1+cpu`` is (2, 4, 1)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _shortened(error: BaseException) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), "").strip()
    shown = first if len(first) <= _LONGEST else f"{first[:_LONGEST]} …"
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
