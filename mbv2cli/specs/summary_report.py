"""The JSON report of `mbv2 summary`, as a TARGET."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs.base import Spec
from mbv2cli.specs.foreign import ForeignModel
from mbv2cli.specs.reader import KINDS, Setting
from mbv2cli.specs.run import InputSpec
from mbv2cli.version import SCHEMA_VERSION

_REPORT: Final = "summary"
"""The command whose JSON is a target."""


def is_report(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a JSON document names a command of mbv2 or the version of its fields."""
    return isinstance(content, dict) and not content.keys().isdisjoint(
        ("command", "schema_version")
    )


def report_model(path: Path, content: Mapping[str, Any]) -> ForeignModel:
    """Return the model of a report. Raises `UserError` for the report of another command."""
    remedy = f"write one with mbv2 {_REPORT} --format json --output {path}"
    _refuse_other_reports(content, path, remedy)
    try:
        spec = KINDS[content["kind"]].model_validate(content["spec"])
        input_ = InputSpec.model_validate(content["input"])
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path} is not a report of mbv2 {_REPORT}; {remedy}") from None
    except UserError as error:
        raise UserError(f"{path} is not a report of mbv2 {_REPORT}: {error}; {remedy}") from None
    settings = [*_settings(path, spec), *_settings(path, input_)]
    return ForeignModel(spec.noun, settings, None)


def _settings(path: Path, spec: Spec) -> list[Setting]:
    values = spec.model_dump(by_alias=True, exclude_none=True)
    return [Setting(key, value, f"{path}: {key}") for key, value in values.items()]


def _refuse_other_reports(content: Mapping[str, Any], path: Path, remedy: str) -> None:
    command, version = content.get("command"), content.get("schema_version")
    if command != _REPORT:
        found = f"a report of mbv2 {command}, " if isinstance(command, str) else ""
        raise UserError(f"{path} is {found}not a report of mbv2 {_REPORT}; {remedy}")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise UserError(
            f"{path} has schema_version {value_text(version)}; this mbv2 reads {SCHEMA_VERSION}; "
            f"{remedy}"
        )
