"""The formats of each command, and the module that writes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from mbv2cli.errors import UserError
from mbv2cli.specs.words import one_of

if TYPE_CHECKING:
    from mbv2cli.report.page import Page

Renderer: TypeAlias = "Callable[[Any], str | Page]"
"""Makes text, or a page for people, of a report."""

FORMATS: Final[Mapping[str, Mapping[str, str]]] = {
    "summary": {
        "table": "summary.table",
        "json": "summary.document",
        "csv": "summary.plain",
        "markdown": "summary.markdown",
        "html": "summary.html",
        "torchsummary": "summary.plain",
    },
    "counts": {"table": "counts", "json": "counts"},
    "memory": {"table": "memory", "json": "memory"},
    "cliffs": {"table": "cliffs", "json": "cliffs"},
    "identify": {"table": "identify", "json": "identify", "toml": "identify"},
    "presets": {"table": "presets", "json": "presets"},
    "boards": {"table": "boards", "json": "boards"},
    "fit": {"table": "fit", "json": "fit"},
    "sweep": {"table": "sweep.text", "json": "sweep.document", "html": "sweep.html"},
    "check": {
        "table": "check.table",
        "json": "check.document",
        "github": "check.annotations",
        "junit": "check.annotations",
        "markdown": "check.table",
    },
    "compare": {
        "table": "compare",
        "json": "compare",
        "markdown": "compare",
        "html": "compare_html",
    },
}
"""By command and format, the module in this room that has the function ``as_FORMAT``."""


TABLE: Final = "table"
"""The format of every command for people."""

HTML: Final = "html"
"""The format of a page for a browser."""

PAGE_SUFFIXES: Final = (".html", ".htm")

_SUFFIXES: Final[Mapping[str, str]] = {
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
    ".xml": "junit",
    **dict.fromkeys(PAGE_SUFFIXES, HTML),
}
"""The format that the name of a file asks for."""

_OTHER_SUFFIXES: Final = frozenset(
    (
        *(".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pdf"),
        *(".ps", ".eps", ".doc", ".docx", ".ppt", ".pptx", ".xls", ".xlsx"),
        *(".ods", ".tsv", ".jsonl", ".yaml", ".yml", ".toml", ".parquet", ".feather", ".arrow"),
        *(".npy", ".npz", ".pkl", ".pt", ".pth", ".onnx", ".tflite", ".zip", ".gz"),
    )
)
"""Names of files that have another content than any format."""


def format_of(command: str, name: str | None, file: Path | None) -> str:
    """Return the format ``name`` or, without one, the format that the name of ``file`` asks for.

    A name without a suffix, or with any other, is that of a table. Raises `UserError` if there is
    no such format, or if nothing that the command writes belongs in such a file.
    """
    formats = FORMATS[command]
    if name is not None:
        return format_named(command, name)
    suffix = file.suffix.lower() if file else ""
    asked = _SUFFIXES.get(suffix, TABLE)
    if asked in formats and suffix not in _OTHER_SUFFIXES:
        return asked
    raise UserError(
        f"--output {file}: mbv2 {command} does not write {suffix}; "
        f"give --format, one of {', '.join(formats)}, or a file such as {command}.txt"
    )


def renderer(command: str, name: str, typed: str = "") -> Renderer:
    """Return the function that makes text or a page of a command's report: the format ``name``.

    Only the module of that format is imported. A page for a browser shows ``typed``, the command
    that makes it. Raises `UserError` if there is no such format.
    """
    word = format_named(command, name)
    module = import_module(f"mbv2cli.report.{FORMATS[command][word]}")
    function: Any = getattr(module, f"as_{word}")
    return partial(function, command=typed) if word == HTML else cast("Renderer", function)


def format_named(command: str, name: str) -> str:
    """Return the format of a command that ``name`` means. Raises `UserError` if there is none."""
    return one_of(name, FORMATS[command], "--format")
