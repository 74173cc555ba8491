"""Every command's JSON against the schema that the package carries.

``python -m tests.test_schema`` writes the schema.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from pydantic.json_schema import models_json_schema

from mbv2cli.cli.app import COMMANDS
from mbv2cli.report.boards import BoardsDocument
from mbv2cli.report.check.document import CheckDocument
from mbv2cli.report.cliffs import CliffsDocument
from mbv2cli.report.compare import CompareDocument
from mbv2cli.report.counts import CountsDocument
from mbv2cli.report.document import Document
from mbv2cli.report.fit import FitDocument
from mbv2cli.report.identify import IdentifyDocument
from mbv2cli.report.memory import MemoryDocument
from mbv2cli.report.presets import PresetsDocument
from mbv2cli.report.summary.document import SummaryDocument
from mbv2cli.report.sweep.document import SweepDocument
from mbv2cli.version import SCHEMA_VERSION
from tests.process import mbv2_here

DOCUMENTS: Final[dict[str, type[Document]]] = {
    "summary": SummaryDocument,
    "counts": CountsDocument,
    "memory": MemoryDocument,
    "cliffs": CliffsDocument,
    "presets": PresetsDocument,
    "boards": BoardsDocument,
    "fit": FitDocument,
    "sweep": SweepDocument,
    "check": CheckDocument,
    "compare": CompareDocument,
    "identify": IdentifyDocument,
}
WITHOUT_JSON: Final = {"draw", "explain", "lock", "init", "help"}
SCHEMA: Final = Path(str(files("mbv2cli"))) / "schema.json"


@cache
def schema() -> dict[str, Any]:
    """Return the schema of all documents, made of their fields."""
    _, definitions = models_json_schema(
        [(document, "serialization") for document in DOCUMENTS.values()],
        by_alias=True,
        ref_template="#/$defs/{model}",
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"What mbv2 prints with --format json, schema_version {SCHEMA_VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{document.__name__}"} for document in DOCUMENTS.values()],
        **definitions,
    }


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


@cache
def validator() -> jsonschema.Draft202012Validator:
    """Return what validates against the schema that the package carries."""
    packaged = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(packaged)
    return jsonschema.Draft202012Validator(packaged)


def test_the_schema_in_the_package_is_that_of_the_fields() -> None:
    assert SCHEMA.read_text("utf-8") == text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("summary",),
        ("summary", "network", "--convention", "fvcore", "--dtype", "bfloat16"),
        ("summary", "deeplab_os16", "--no-forward", "--batch", "2", "--size", "65x97"),
        ("counts",),
        ("counts", "mobilenetv2_110d"),
        ("memory",),
        ("memory", "network:act=gelu,dropout=0"),
        ("cliffs", "network"),
        ("presets",),
        ("presets", "--board", "stm32h743"),
        ("boards",),
        ("fit", "--board", "max78000", "--size", "64,96", "--expand", "6", "--classes", "10"),
        ("memory", "network", "--board", "stm32h743"),
        ("cliffs", "network:classes=2", "--size", "64", "--board", "nrf52840"),
        ("check", "network", "--board", "rp2040", "--no-forward"),
        ("sweep", "--in", "1:9:4", "--pareto", "macs,-peak", "--cdf", "--where", "layers > 5"),
        ("sweep", "network", "--sample", "9", "--width-mult", "0.1:9:0.1", "--max-params", "3k"),
        ("check", "network", "--expect", "1x*", "--max-peak", "3MiB", "--no-forward"),
        ("compare", "network", "network:width_mult=0.75"),
        ("compare", "block", "mobilenetv2_110d"),
        ("identify", "network:width_mult=0.6"),
        ("identify", "block", "--expect", "network"),
    ],
    ids=" ".join,
)
def test_json_is_valid(arguments: tuple[str, ...]) -> None:
    document = json.loads(mbv2_here(*arguments, "--format", "json").stdout)
    validator().validate(document)
    definition = f"#/$defs/{DOCUMENTS[arguments[0]].__name__}"
    of_command = {"$ref": definition, "$defs": schema()["$defs"]}
    jsonschema.Draft202012Validator(of_command).validate(document)
    assert document["command"] == arguments[0]
    assert document["schema_version"] == SCHEMA_VERSION


def test_every_command_with_json_has_a_document() -> None:
    assert set(COMMANDS) == set(DOCUMENTS) | WITHOUT_JSON


@pytest.mark.parametrize("field", ["macs", "totals", "schema_version"])
def test_the_schema_notices_what_is_missing(field: str) -> None:
    document = json.loads(mbv2_here("summary", "--no-forward", "--format", "json").stdout)
    if field == "macs":
        del document["layers"][0]["macs"]
    else:
        del document[field]
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(document)


if __name__ == "__main__":
    SCHEMA.write_text(text(), "utf-8")
