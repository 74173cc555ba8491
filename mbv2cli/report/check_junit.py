"""Check results as JUnit XML: a test case for each case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mbv2cli.checks.cases import CaseResult
from mbv2cli.report.check_text import broken_text


def render(results: Sequence[CaseResult], file: Path | None) -> str:
    """Return a suite ``mbv2 check``; a failed case tells every broken expectation."""
    failures = sum(not result.holds for result in results)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0"}
    suites = Element("testsuites", counts)
    suite = SubElement(suites, "testsuite", {"name": "mbv2 check", **counts, "skipped": "0"})
    for result in results:
        attributes = {"classname": "mbv2.check", "name": result.case.name}
        if file is not None:
            attributes["file"] = str(file)
        case = SubElement(suite, "testcase", attributes)
        broken = [broken_text(verdict) for verdict in result.verdicts if not verdict.holds]
        if broken:
            failure = SubElement(case, "failure", {"type": "limit", "message": "; ".join(broken)})
            failure.text = "\n".join(broken)
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"
