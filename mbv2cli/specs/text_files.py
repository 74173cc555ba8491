"""Text as a TARGET: JSON or Python. Neither is executed."""

from __future__ import annotations

from pathlib import Path

from mbv2cli.errors import UserError
from mbv2cli.specs.files import MAX_JSON_BYTES, parse_json, read_text
from mbv2cli.specs.foreign import ACCEPTED, ForeignModel
from mbv2cli.specs.hugging_face import hugging_face_model, is_hugging_face
from mbv2cli.specs.mmpretrain import python_model
from mbv2cli.specs.once_for_all import is_once_for_all, once_for_all_model
from mbv2cli.specs.summary_report import is_report, report_model


def read_text_file(path: Path) -> ForeignModel:
    """Read a text file. Raises `UserError` if it is not the text of a model."""
    text = read_text(path, MAX_JSON_BYTES)
    if text.lstrip()[:1] == "{":
        return _json_model(path, text)
    if model := python_model(path, text):
        return model
    hint = f"; for a module, name its class too: {path}:Net" if path.suffix == ".py" else ""
    raise UserError(f"{path} is text that is not a model; give {ACCEPTED}{hint}")


def _json_model(path: Path, text: str) -> ForeignModel:
    try:
        content = parse_json(text, str(path))
    except UserError as error:
        raise UserError(f"{error}; give {ACCEPTED}") from None
    if is_report(content):
        return report_model(path, content)
    if is_hugging_face(content):
        return hugging_face_model(path, content)
    if is_once_for_all(content):
        return once_for_all_model(path, content)
    raise UserError(f"{path} is JSON that is not a model; give {ACCEPTED}")
