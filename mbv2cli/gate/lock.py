"""The lock: the figures and the graph of every case when they were last accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os.path import lexists, realpath
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mbv2cli.errors import UserError, value_text
from mbv2cli.gate.cases import CaseResult
from mbv2cli.gate.locked import Locked, LockedCase, LockedModule, locked_of
from mbv2cli.shown import toml_escaped
from mbv2cli.specs.files import MAX_TOML_BYTES, exists, inputs, parse_toml, read_text

VERSION: Final = 3
_WITHOUT_MODULES: Final = 2
"""The version of a lock that has no module: an earlier mbv2 reads it too."""
_HEADER: Final = (
    "# The accepted figures of each case. Written by `mbv2 lock`; "
    "read the diff before you commit it.\n"
)
_REMEDY: Final = "restore it, or run mbv2 lock to write it anew"


def lock_text(results: Iterable[CaseResult]) -> str:
    """Return the lock: TOML, cases sorted by name, the same text for the same cases."""
    import tomli_w

    cases = {result.case.name: locked_of(result) for result in results}
    has_modules = any(isinstance(case, LockedModule) for case in cases.values())
    content = {
        "version": VERSION if has_modules else _WITHOUT_MODULES,
        "case": {name: _values(cases[name]) for name in sorted(cases)},
    }
    text = _HEADER + toml_escaped(tomli_w.dumps(content))
    if len(text.encode()) > MAX_TOML_BYTES:
        raise UserError(
            f"the lock of {len(cases):,} cases would have more than {MAX_TOML_BYTES >> 20} MiB, "
            "which mbv2 does not read again; spread the cases over several files"
        )
    return text


def _values(case: Locked) -> dict[str, Any]:
    if isinstance(case, LockedModule):  # the arguments may hold dates, which TOML has
        return case.model_dump(exclude_defaults=True)
    return case.model_dump(mode="json")


def lock_if_any(path: Path) -> Mapping[str, Locked] | None:
    """Return the locked cases by name, None if there is no lock. Raises `UserError`."""
    inputs()[path] = None
    return read_lock(path) if exists(path) else None


def read_lock(path: Path) -> Mapping[str, Locked]:
    """Return the locked cases by name. Raises `UserError` that says what to run."""
    if path.is_symlink() and not lexists(realpath(path)):
        raise UserError(
            f"the lock {path} is a link to {path.readlink()}, which does not exist; {_REMEDY}"
        )
    try:
        text = read_text(path)
    except UserError as error:
        raise UserError(f"the lock cannot be used: {error}; {_REMEDY}") from None
    return parse_lock(text, str(path))


def parse_lock(text: str, place: str) -> Mapping[str, Locked]:
    """Return the cases of a lock that is at ``place``. Raises `UserError` that says what to run."""
    try:
        content = parse_toml(text, place)
    except UserError as error:
        raise UserError(f"the lock is corrupt: {error}; {_REMEDY}") from None
    _refuse_other_versions(content.get("version"), place)
    cases = content.get("case")
    if content.keys() != {"version", "case"} or not isinstance(cases, dict):
        raise UserError(
            f"the lock is corrupt: {place} must have the keys version and case; {_REMEDY}"
        )
    return {name: _locked_case(case, f"{place}: case.{name}") for name, case in cases.items()}


def _locked_case(case: object, place: str) -> Locked:
    is_module = isinstance(case, dict) and case.get("kind") == "module"
    try:
        return (LockedModule if is_module else LockedCase).model_validate(case)
    except ValidationError as error:
        wrong = ".".join([place, *map(str, error.errors()[0]["loc"])])
        raise UserError(f"the lock is corrupt: {wrong} is wrong; {_REMEDY}") from None


def _refuse_other_versions(version: object, place: str) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError(f"the lock is corrupt: {place} has no version; {_REMEDY}")
    if version > VERSION:
        raise UserError(
            f"{place} has version {value_text(version)}, written by a newer mbv2 (this mbv2 reads "
            f"{_WITHOUT_MODULES} and {VERSION}); update mbv2, or run mbv2 lock to write it anew"
        )
    if version < _WITHOUT_MODULES:
        raise UserError(
            f"{place} has version {value_text(version)}, written by an earlier mbv2; "
            "run mbv2 lock to write it anew"
        )
