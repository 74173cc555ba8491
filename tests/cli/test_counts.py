from __future__ import annotations

import json
import re

from syrupy.assertion import SnapshotAssertion

from mbv2cli.costs.conventions import MAC_CONVENTIONS
from tests.process import mbv2_here
from tests.reference_tables import rows


def test_what_a_caller_gets(snapshot: SnapshotAssertion) -> None:
    assert mbv2_here("counts", "network") == snapshot
    assert mbv2_here("counts", "--batch", "2", "--format", "json") == snapshot


def test_every_published_number_is_there() -> None:
    shown = mbv2_here("counts", "network").stdout
    assert all(f"{int(row['value']):,} " in shown for row in rows("counting_conventions"))


def test_it_fits_80_columns() -> None:
    _described, *lines = mbv2_here("counts", "network").stdout.splitlines()
    assert max(map(len, lines)) <= 80


def test_what_is_special_stands_below_what_a_tool_adds() -> None:
    shown = " ".join(mbv2_here("counts", "network").stdout.split())
    for convention in MAC_CONVENTIONS:
        *_, last = [convention.name, *(what for what, _rule in convention.additions)]
        assert re.search(rf"{re.escape(last)} [^a-z]*\d .*?{re.escape(convention.quirk)}", shown)


def test_json_names_every_number() -> None:
    document = json.loads(mbv2_here("counts", "network", "--format", "json").stdout)
    assert [part["total"] for part in document["macs"]] == [
        int(row["value"]) for row in rows("counting_conventions")
    ]


def test_an_unknown_format_is_one_sentence() -> None:
    result = mbv2_here("counts", "--format", "csv")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == "mbv2: --format must be one of table, json, not 'csv'\n"
