"""Text as a TARGET: JSON or a Python literal. Neither is executed."""

from __future__ import annotations

from pathlib import Path

from mbv2cli.errors import UserError
from mbv2cli.specs.files import MAX_JSON_BYTES, parse_json, read_text
from mbv2cli.specs.foreign import ACCEPTED, ForeignModel
from mbv2cli.specs.summary_report import is_report, report_model


def read_text_file(path: Path) -> ForeignModel:
    """Read a text file. Raises `UserError` if it is not the text of a model."""
    text = read_text(path, MAX_JSON_BYTES)
    if text.lstrip()[:1] not in ("{", "["):
        hint = f"; for a module, name its class too: {path}:Net" if path.suffix == ".py" else ""
        raise UserError(f"{path} is text that is not a model; give {ACCEPTED}{hint}")
    try:
        content = parse_json(text, str(path))
    except UserError as error:
        raise UserError(f"{error}; give {ACCEPTED}") from None
    if is_report(content):
        return report_model(path, content)
    raise UserError(f"{path} is JSON that is not a model; give {ACCEPTED}")
